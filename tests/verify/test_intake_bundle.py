"""The bundle of a call taken in: whole, and in the hands of whoever would change it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
from tests.verify import builder as b
from tests.verify import test_dossier

from memcon.errors import FormatError
from memcon.record import canonical, dossier_bundle
from memcon.record import intake_bundle as form
from memcon.record.bundle import MANIFEST
from memcon.record.entry import NO_ENTRY
from memcon.record.hashing import sha256
from memcon.record.intake import Intake, TakenFile
from memcon.record.opened import encode_beats
from memcon.tlog import ed25519
from memcon.verify import trust
from memcon.verify.intake_bundle import verify_intake
from memcon.verify.main import guess, main

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.verify import Report

SOUND, MORE = b"RIFF of some call", b"a recording that it names"


@pytest.fixture(autouse=True)
def _done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in ((ed25519, "_tables"), (ed25519.PublicKey, "verify")):
        monkeypatch.setattr(owner, name, functools.cache(getattr(owner, name)))


def statement(n: int = 1) -> bytes:
    files = (
        TakenFile("original", sha256(SOUND).hex(), len(SOUND), "audio/wav"),
        TakenFile(f"media/{sha256(MORE).hex()}", sha256(MORE).hex(), len(MORE), "audio/ogg"),
    )
    previous = NO_ENTRY if n == 1 else "ab" * 32
    return Intake(n, previous, "A. Archivist", "2026-11-24T03:42:00Z", "a.wav", files, {}, {}).encode()


class Made(test_dossier.Made):
    """The parts of a bundle, to be changed before it is packed."""

    def pack(self, size: int | None = None, /, **changed: bytes | None) -> bytes:
        named = self.world.entries[0][192:224].hex()
        made: dict[str, bytes | None] = {
            "README.txt": b"How to check it.\n",
            "checkpoint": self.world.checkpoint(size),
            "policy": "".join(f"log {key}\n" for key in self.world.vkeys()).encode() + b"quorum none\n",
            "beats.mcb": encode_beats(len(self.world.entries), [self.world.proven(i) for i in self.beats]),
            dossier_bundle.SEALED: dossier_bundle.encode_sealed(self.notes),
            f"statement/{named}": self.world.statements[named],
            "intake.json": statement(),
            "original": SOUND,
            f"media/{sha256(MORE).hex()}": MORE,
        }
        made |= {name.replace("__", "."): data for name, data in changed.items()}
        return form.write_bundle(self.world.origin, 1, {k: v for k, v in made.items() if v is not None})

    def check(self, **changed: bytes | None) -> Report:
        return verify_intake(self.pack(None, **changed), trust(self.world.vkeys()))


def made(type_: int | None = 10, over: bytes | None = None) -> Made:
    world = b.begun()
    world.beat()
    new = Made(world)
    if type_ is not None:
        new.seal(statement() if over is None else over, type_)
    return new


def test_a_call_taken_in_is_what_was_taken_in_and_sealed() -> None:
    report = made().check()
    assert (report.exit_code, report.findings) == (0, [])
    assert report.headline == (
        "Intake 1 is unaltered since it was taken in on 2026-11-24; nothing before that is proved. "
        "It is sealed in the log whose key you gave."
    )
    assert "2 of 2 files are what was taken in" in report.checked
    assert report.facts["sealed in leaf"] == 3
    alone = verify_intake(made().pack())
    assert alone.exit_code == 3
    assert "whose key nobody has vouched for here" in alone.headline


def test_what_no_note_seals_says_so() -> None:
    report = made(None).check()
    assert (report.exit_code, set(report.counts)) == (0, {"intake-unsealed"})
    assert report.headline.endswith("No log seals it yet.")


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({"original": SOUND + b"!"}, {"intake-file"}),
        ({"original": None}, {"intake-file", "container-entry"}),
        ({f"media/{'0' * 64}": b"x"}, {"intake-file"}),
        ({"intake__json": b"{}"}, {"intake-form"}),
        ({"intake__json": None}, {"intake-form", "container-entry"}),
        ({"intake__json": statement(2)}, {"object-id", "intake-note", "intake-unsealed"}),
        ({"sealed__mcn": b"nothing"}, {"intake-note"}),
        ({"sealed__mcn": None}, {"intake-unsealed", "container-entry"}),
        ({"checkpoint": None}, {"container-entry"}),
    ],
)
def test_what_was_changed_is_found(changed: dict[str, bytes | None], codes: set[str]) -> None:
    report = made().check(**changed)
    assert report.exit_code != 0
    assert codes <= set(report.counts)
    assert "the log whose key you gave" not in report.headline


def test_notes_that_do_not_fit() -> None:
    assert "intake-note" in made(3).check().counts
    both = made()
    both.seal(b"something else", 10)
    assert set(both.check().counts) == {"intake-note"}
    elsewhere = made()
    elsewhere.beats.remove(3)
    assert "intake-note" in elsewhere.check().counts
    moved = made(None)
    moved.seal(statement(), 10, number=77)
    assert "intake-path" in moved.check().counts


def test_any_flipped_byte_is_found() -> None:
    whole = made()
    data, keys = whole.pack(), trust(whole.world.vkeys())
    for at in range(0, len(data), 97):
        flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert verify_intake(flipped, keys).exit_code == 1, at


def test_what_is_no_bundle() -> None:
    assert "cannot be read" in verify_intake(b"PK nothing").headline
    for change in ({"bundle": "memcon/intake-bundle/2"}, {"intake": 0}):
        facts = {"bundle": form.VERSION, "origin": "x", "intake": 1, "files": {}, **change}
        with pytest.raises(FormatError):
            form.read_manifest(canonical.dumps(facts))
    assert MANIFEST in form.FORM.order


def test_the_verifier_knows_it_by_its_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = made()
    path = tmp_path / "call-T001.zip"
    path.write_bytes(whole.pack())
    assert guess(str(path)) == "intake"
    key = whole.world.vkeys()[0]
    assert main([str(path), "--key", key]) == 0
    assert "Intake 1 is unaltered" in capsys.readouterr().out
