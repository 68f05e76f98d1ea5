"""The command line, and the verifier as one file."""

from __future__ import annotations

import hashlib
import io
import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.verify import builder as b

from memcon.record import canonical
from memcon.record.slottree import SLOTS_MAGIC
from memcon.verify.main import guess, main

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def home(tmp_path: Path) -> tuple[b.World, Path]:
    """A log, a bundle, an object and slot records on a disk."""
    world, call = b.simple()
    b.write_files(tmp_path / "log", world.files())
    b.write_files(tmp_path / "object", b.ocfl_object(b.vault_files(world, call)))
    files = {
        "call.zip": b.bundle(world, call).pack(),
        "slots/00.mcl": SLOTS_MAGIC + b"".join(world.records),
        "structure.key": b.STRUCTURE,
        "policy": b.bundle(world, call).policy,
        "empty": b"",
    }
    b.write_files(tmp_path, files)
    return world, tmp_path


def test_kinds_are_told_from_the_target(home: tuple[b.World, Path]) -> None:
    _, folder = home
    assert guess("https://log.example/1") == "log"
    assert [guess(str(folder / name)) for name in ("log", "object", "call.zip")] == ["log", "object", "call"]


def test_every_kind_by_command(home: tuple[b.World, Path], capsys: pytest.CaptureFixture[str]) -> None:
    world, folder = home
    key = ["--key", world.vkeys()[0]]
    for args in (
        ["log", str(folder / "log"), *key],
        [str(folder / "log"), *key],
        ["call", str(folder / "call.zip"), "--policy", str(folder / "policy")],
        [str(folder / "object"), *key],
        ["slots", str(folder / "slots"), "--log", str(folder / "log"), "--structure-key",
         str(folder / "structure.key"), *key],
    ):  # fmt: skip
        assert main(args) == 0, args
        said = capsys.readouterr()
        assert "Nothing." in said.out
        assert not said.err
        assert said.out.index("Checked") < said.out.index("Found") < said.out.index("Not checked")


def test_exit_codes(home: tuple[b.World, Path], capsys: pytest.CaptureFixture[str]) -> None:
    world, folder = home
    target = str(folder / "call.zip")
    assert main([target, "--quiet"]) == 3
    assert capsys.readouterr() == ("", "")
    assert main([target]) == 3
    assert "Limits of this check" in capsys.readouterr().out
    other = b.World(mldsa=False, key_name="other").vkeys()[0]
    assert main([target, "--key", other]) == 1
    assert "error [checkpoint-unsigned]" in capsys.readouterr().out
    for args in (
        ["nothing"],
        ["wrong", target],
        ["call", target, "and another"],
        [target, "--key", "no key"],
        ["slots", target],
        ["slots", str(folder / "slots"), "--log", str(folder / "log")],
        [str(folder / "empty")],
        ["log", str(folder / "nothing")],
    ):
        expected = 3 if "slots" in args and "--log" in args else 2
        assert main(args) == expected, args
    assert "memcon-verify: " in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert world.entries


def test_json_and_audio(home: tuple[b.World, Path], capsys: pytest.CaptureFixture[str]) -> None:
    world, folder = home
    args = [str(folder / "call.zip"), "--key", world.vkeys()[0], "--json", "--audio", str(folder / "audio")]
    assert main(args) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["ok"] is True
    assert value["exit"] == 0
    assert value["seconds"][0]["state"] == "match their seal"
    assert sorted(file.name for file in (folder / "audio").iterdir()) == ["stream-0.wav", "stream-2.wav"]


def test_progress_on_a_terminal(
    home: tuple[b.World, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, folder = home
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["log", str(folder / "log"), "--key", world.vkeys()[0]]) == 0
    assert "100 %" in capsys.readouterr().err


def test_python_m(home: tuple[b.World, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    world, folder = home
    monkeypatch.setattr(
        sys, "argv", ["memcon-verify", str(folder / "log"), "--quiet", "--key", world.vkeys()[0]]
    )
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("memcon.verify", run_name="__main__")
    assert stop.value.code == 0


def test_the_one_file_is_the_same_each_time_and_runs_on_a_bare_python(home: tuple[b.World, Path]) -> None:
    world, folder = home
    build = ROOT / "scripts" / "build-verifier"
    made = []
    for name in ("one.pyz", "two.pyz"):
        subprocess.run(
            [sys.executable, "-I", str(build), str(folder / name)], check=True, capture_output=True
        )
        made.append(hashlib.sha256((folder / name).read_bytes()).hexdigest())
    assert made[0] == made[1]
    pyz = shutil.copy(folder / "one.pyz", folder / "memcon-verify.pyz")
    bare = sys._base_executable  # type: ignore[attr-defined]  # the interpreter without the environment's libraries
    for target in ("call.zip", "log", "object"):
        args = [bare, "-I", "-S", pyz, str(folder / target), "--key", world.vkeys()[0]]
        done = subprocess.run(args, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Nothing." in done.stdout


def test_a_terminal_that_lacks_characters_is_shown_their_escapes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = b.begun()
    call = b.Call(world, packets=b.speech(5, 0))
    call.openings[1] = canonical.dumps([{"name": "Présidente"}])
    while not call.done:
        world.beat([call])
    file = tmp_path / "call.zip"
    file.write_bytes(b.bundle(world, call).pack())
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert main([str(file)]) == 3
    terminal.flush()
    assert b'"Pr\\xe9sidente"' in raw.getvalue()
