"""The page of Python in VERIFYING.md, as a stranger would run it."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
from tests.verify import builder as b

from memcon.record import opened

PAGE = Path(__file__).parent.parent.parent / "docs" / "VERIFYING.md"


def run(folder: Path, second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the page on an unpacked bundle; AssertionError says what does not hold."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    script = folder.parent / "by-hand.py"
    script.write_text(found[1], encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["by-hand.py", str(folder), str(second)])
    runpy.run_path(str(script))


@pytest.mark.parametrize("after", range(9))
def test_every_second_of_a_call_leads_to_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], after: int
) -> None:
    world, call = b.simple(after=after)
    files = b.bundle(world, call, withhold=[(1, 2)]).files()
    folder = b.write_files(tmp_path / "call", files)
    for second in range(5):
        run(folder, second, monkeypatch)
    said = capsys.readouterr().out
    assert said.count("is in the tree of") == 5
    assert "seconds 1 to 2 match the call leaf in beat 3" in said


@pytest.mark.parametrize(
    ("name", "place", "says"),
    [
        ("media.mcb", -1, "do not match the call leaf"),
        ("leaves.mcl", -1, "does not lead to the slot root"),
        ("beats.mcb", -1, "not in the tree"),
        ("beats.mcb", -40, "not in the tree"),
        ("checkpoint", len(b.ORIGIN) + 10, "not in the tree"),
    ],
)
def test_a_changed_byte_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: int, says: str
) -> None:
    world, call = b.simple(after=3)
    files = b.bundle(world, call).files()
    changed = bytearray(files[name])
    changed[place] ^= 1
    folder = b.write_files(tmp_path / "call", files | {name: bytes(changed)})
    with pytest.raises(AssertionError, match=says):
        run(folder, 4, monkeypatch)
    assert opened.read_beats(files["beats.mcb"])[0] == len(world.entries)
