"""Four checkers of one recorded home: `memcon verify`, the verifier as one file, an audit in Go, ocfl-py.

They share no code where it matters (the audit and ocfl-py share none at all), so they must agree on a
good home, and each on the damage that its subject can show.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ocfl
import pytest
from tests.foreign.conftest import Recorder, start, stop
from tests.foreign.test_go_audit import audit, build_audit

from memcon.client.caller import place_call
from memcon.client.voice import demo_voices
from memcon.seal.keys import load_keys

pytestmark = pytest.mark.foreign
ROOT = Path(__file__).resolve().parents[2]
GO_MODULES = Path("/usr/share/gocode/src/golang.org/x/mod")


@dataclass(frozen=True)
class Kept:
    """A home that recorded one call and was stopped, its bundle, the key and the checkers' programs."""

    recorder: Recorder
    bundle: Path
    vkey: str
    pyz: Path
    go: Path

    @property
    def log(self) -> Path:
        return self.recorder.home / "log"

    @property
    def vault(self) -> Path:
        return self.recorder.home / "vault"

    def stranger(self, kind: str, target: Path) -> dict[str, Any]:
        """The report of `memcon-verify.pyz` in an interpreter that sees nothing of this project."""
        command = [sys.executable, "-I", str(self.pyz), kind, str(target), "--key", self.vkey, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        report: dict[str, Any] = json.loads(done.stdout)
        return report | {"exit": done.returncode}

    def own(self, *target: str) -> tuple[int, list[dict[str, Any]]]:
        """`memcon verify`: its exit code and its reports."""
        done = self.recorder.command("verify", *target, "--key", self.vkey, "--json")
        said = json.loads(done.stdout)
        return done.returncode, said if isinstance(said, list) else [said]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    if shutil.which("go") is None or not GO_MODULES.is_dir():
        pytest.skip("no Go audit: apt-get install golang-go golang-golang-x-mod-dev")
    directory = tmp_path_factory.mktemp("agreement")
    recorder, process = start(directory)
    try:
        target = f"udp://127.0.0.1:{recorder.sip_port}"
        asyncio.run(place_call(target, voices=demo_voices(), seconds=4, hold=(1.0, 1.0)))
        recorder.ended(1)
        recorder.export(1, "bundle")
    finally:
        stop(process)
    built = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "build-verifier"), str(directory / "v.pyz")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    vkey = str(load_keys(recorder.home / "keys").vkeys("recorder.example/foreign")[0])
    return Kept(
        recorder, directory / "export-1.bundle", vkey, directory / "v.pyz", build_audit(directory / "audit")
    )


def test_all_agree_that_nothing_is_wrong(kept: Kept) -> None:
    code, reports = kept.own()
    assert (code, [r["findings"] for r in reports]) == (0, [[], []])
    stranger = kept.stranger("log", kept.log)
    assert (stranger["exit"], stranger["findings"]) == (0, [])
    code, go = audit(kept.go, kept.log, kept.vkey)
    assert (code, go["ok"]) == (0, True), go
    assert (go["size"], base64.b64decode(go["root"]).hex()) == (
        stranger["facts"]["tree size"],
        stranger["facts"]["root"],
    )
    assert ocfl_finds_valid(kept.vault) is True
    called = kept.stranger("call", kept.bundle)
    assert (called["exit"], called["findings"]) == (0, [])
    code, reports = kept.own(str(kept.bundle))
    assert (code, reports[0]["findings"], reports[0]["seconds"]) == (0, [], called["seconds"])


def ocfl_finds_valid(root: Path) -> bool:
    """The root's structure, and every object with its digests (a root check alone has none)."""
    whole: bool = ocfl.StorageRoot(root=str(root)).validate()
    objects = [path.parent for path in root.rglob("0=ocfl_object_1.1")]
    assert objects
    return whole and all(
        ocfl.Object(path=str(o)).validate(objdir=str(o), log_warnings=True, check_digests=True)[0]
        for o in objects
    )


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0x40
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("part", ["tile/0/000.p", "tile/entries/000.p", "checkpoint"])
def test_all_see_a_changed_byte_of_the_log(kept: Kept, tmp_path: Path, part: str) -> None:
    log = tmp_path / "log"
    shutil.copytree(kept.log, log)
    file = log / part
    if file.is_dir():  # the widest partial tile
        file = max(file.iterdir(), key=lambda p: int(p.name))
    flip(file, 40)
    stranger = kept.stranger("log", log)
    assert stranger["exit"] == 1
    assert stranger["findings"]
    code, reports = kept.own(str(log))
    assert (code, reports[0]["findings"]) == (1, stranger["findings"])
    code, go = audit(kept.go, log, kept.vkey)
    assert (code, go["ok"]) == (1, False), go


def test_all_see_a_changed_byte_of_the_vault(kept: Kept, tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    shutil.copytree(kept.vault, vault)
    media = next(vault.rglob("media.mcs"))
    flip(media, 500)
    assert ocfl_finds_valid(vault) is False
    directory = next(
        p for p in media.parents if (p / "inventory.json").exists() and (p / "0=ocfl_object_1.1").exists()
    )
    stranger = kept.stranger("object", directory)
    assert stranger["exit"] == 1
    code, reports = kept.own(str(directory))
    assert (code, reports[0]["findings"]) == (1, stranger["findings"])


def test_a_changed_second_of_a_bundle_is_named_by_both(kept: Kept, tmp_path: Path) -> None:
    bundle = tmp_path / "call.zip"
    shutil.copyfile(kept.bundle, bundle)
    flip(bundle, kept.bundle.read_bytes().index(b"mcblock\x01") + 300)
    stranger = kept.stranger("call", bundle)
    assert stranger["exit"] == 1
    assert 0 in [finding.get("second") for finding in stranger["findings"]]
    code, reports = kept.own(str(bundle))
    assert (code, reports[0]["findings"]) == (1, stranger["findings"])
