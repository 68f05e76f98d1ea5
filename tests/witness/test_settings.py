from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.witness.kit import KEY

from memcon.errors import FormatError, UsageError
from memcon.witness.keys import load_cosigner
from memcon.witness.settings import init_home, load

if TYPE_CHECKING:
    from pathlib import Path

POLICY = f"log {KEY.key}\nquorum none\n".encode()


def make(home: Path, **changes: object) -> None:
    said: dict[str, object] = {"kinds": ("ed25519", "mldsa44"), "listen": "127.0.0.1:8090", "policy": POLICY}
    init_home(home, "w.example/1", mirror=True, **{**said, **changes})  # type: ignore[arg-type]


def test_a_witness_is_made_and_read_again(tmp_path: Path) -> None:
    make(tmp_path / "w")
    settings = load(tmp_path / "w")
    assert (settings.name, settings.host, settings.port, settings.mirror) == (
        "w.example/1",
        "127.0.0.1",
        8090,
        True,
    )
    assert [key.kind for key in settings.cosigner().vkeys] == [4, 6]
    assert [log.key for log in settings.policy().logs] == [KEY.key]
    assert {p.stat().st_mode & 0o777 for p in settings.keys.iterdir()} == {0o600}
    with pytest.raises(UsageError, match="already"):
        make(tmp_path / "w")
    (tmp_path / "w/witness.toml").unlink()
    with pytest.raises(UsageError, match="keeps its keys"):
        make(tmp_path / "w")


def test_what_cannot_be_made(tmp_path: Path) -> None:
    for listen in ("8090", "host:8090", "127.0.0.1:0", "127.0.0.1:x"):
        with pytest.raises(FormatError, match="ADDRESS:PORT"):
            make(tmp_path / "w", listen=listen)
    with pytest.raises(FormatError):
        make(tmp_path / "w", policy=b"nonsense\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[witness", "not TOML"),
        ("[other]\n", "other: unknown"),
        ("witness = 1\n", "expected a table"),
        ("[witness]\nnames = 'w'\n", "unknown; expected name"),
        ("[witness]\nmirror = 'yes'\n", "true or false"),
        ("[witness]\nname = 1\n", "expected a text"),
        ("[witness]\nlisten = 'x'\n", "ADDRESS:PORT"),
        ("[notify]\nfax = 'x'\n", "unknown; expected webhook"),
    ],
)
def test_what_witness_toml_refuses(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "witness.toml").write_text(text)
    with pytest.raises(FormatError, match=problem):
        load(tmp_path)


def test_policies(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="memcon witness init"):
        load(tmp_path)
    make(tmp_path, policy=None)
    settings = load(tmp_path)
    with pytest.raises(FormatError, match="names no log"):
        settings.policy()
    settings.logs.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        settings.policy()
    pair = f"log {KEY.key}\n" + "".join(
        f"witness w{n} {key}\n" for n, key in enumerate(settings.cosigner().vkeys)
    )
    settings.logs.write_text(pair + "group g any w0 w1\nquorum g\n")
    with pytest.raises(FormatError, match="disjoint"):
        settings.policy()


def test_key_files(tmp_path: Path) -> None:
    make(tmp_path)
    key = tmp_path / "keys/ed25519.key"
    key.chmod(0o644)
    with pytest.raises(UsageError, match="read by others"):
        load_cosigner(tmp_path / "keys", "w")
    key.chmod(0o600)
    key.write_bytes(b"short")
    with pytest.raises(FormatError, match="5 bytes"):
        load_cosigner(tmp_path / "keys", "w")
    key.unlink()
    assert [k.kind for k in load_cosigner(tmp_path / "keys", "w").vkeys] == [6]
    (tmp_path / "keys/mldsa44.key").unlink()
    with pytest.raises(UsageError, match="no key"):
        load_cosigner(tmp_path / "keys", "w")
