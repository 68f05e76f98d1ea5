"""The bundle of a dossier: whole, withheld in part, and in the hands of whoever would change it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify import builder as b

from memcon.record import canonical, hashing, slottree
from memcon.record import dossier_bundle as form
from memcon.record.beat import Beat, Kind, State, wrap_slot_root
from memcon.record.bundle import MANIFEST, write_zip
from memcon.record.entry import NO_ENTRY, Entry, hash_of
from memcon.record.hashing import sha256
from memcon.record.opened import encode_beats
from memcon.tlog import ed25519
from memcon.verify import CODES, trust
from memcon.verify.dossier import verify_dossier
from memcon.verify.main import guess, main

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.verify import Report

ID = "2017-01-28/1"
TEXT = b"They spoke of Syria.\n"
BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dossier", {"title": "A call"}),
    ("source", {"sha256": sha256(TEXT).hex(), "text": sha256(TEXT + b"read").hex()}),
    ("claim", {"text": "It was so"}),
)


@pytest.fixture(autouse=True)
def _done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most changes leave key, text and signature alone: the same curve arithmetic is worked out once."""
    for owner, name in ((ed25519, "_tables"), (ed25519.PublicKey, "verify")):
        monkeypatch.setattr(owner, name, functools.cache(getattr(owner, name)))


def entries(bodies: tuple[tuple[str, dict[str, Any]], ...] = BODIES) -> list[bytes]:
    made: list[bytes] = []
    for n, (kind, body) in enumerate(bodies, 1):
        previous = hash_of(made[-1]) if made else NO_ENTRY
        made.append(Entry(ID, n, previous, kind, "A. Archivist", f"2026-11-24T03:42:0{n}Z", body).encode())
    return made


@dataclass
class Made:
    """The parts of a bundle, to be changed before it is packed."""

    world: b.World
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[form.SealedNote] = field(default_factory=list)
    beats: list[int] = field(default_factory=lambda: [0])

    def seal(self, data: bytes, type_: int, **changes: Any) -> None:
        """A beat with a NOTE over these bytes; `changes` are made to the leaf after it was sealed."""
        world, lane = self.world, 4000
        index, slot = len(world.entries), world.slot
        note = slottree.NoteLeaf(type_, lane, world.next_note, slot, index, sha256(data))
        leaves = {
            0: slottree.SlotLeaf(slot, index, 1, world.next_note + 1, 0, 1).encode(),
            lane: note.encode(),
        }
        tree = slottree.SlotTree(hashing.slot_key(b.STRUCTURE, index, slot), leaves)
        root = wrap_slot_root(world.origin, index, slot, slottree.DEPTH, tree.root)
        beat = Beat(Kind.BEAT, State.OFF, world.period_ms, index, slot, bytes(16), root, world.config_root())
        world.entries.append(beat.encode())
        world.slot, world.next_note = slot + 1, world.next_note + 1
        self.beats.append(index)
        self.notes.append(
            form.SealedNote(replace(note, **changes).encode(), tree.salt(lane), tree.path(lane))
        )

    def pack(self, size: int | None = None, /, **changed: bytes | None) -> bytes:
        genesis = self.world.entries[0]
        statement = genesis[192:224].hex()
        made: dict[str, bytes | None] = {
            "README.txt": b"How to check it.\n",
            "checkpoint": self.world.checkpoint(size),
            "policy": "".join(f"log {key}\n" for key in self.world.vkeys()).encode() + b"quorum none\n",
            "beats.mcb": encode_beats(len(self.world.entries), [self.world.proven(i) for i in self.beats]),
            form.SEALED: form.encode_sealed(self.notes),
            f"statement/{statement}": self.world.statements[statement],
            **self.files,
        }
        made |= {name.replace("__", "."): data for name, data in changed.items()}
        files = {name: data for name, data in made.items() if data is not None}
        return form.write_bundle(self.world.origin, ID, files)

    def check(self, **changed: bytes | None) -> Report:
        return verify_dossier(self.pack(None, **changed), trust(self.world.vkeys()))


def made(written: list[bytes] | None = None, *, sealed: int | None = None) -> Made:
    """A dossier of three entries, the first `sealed` of which are, each in a beat of its own."""
    world = b.begun()
    for _ in range(2):
        world.beat()
    new = Made(world)
    written = entries() if written is None else written
    for n, data in enumerate(written, 1):
        kind = BODIES[n - 1][0]
        new.files[form.entry_name(n, kind)] = data
        if sealed is None or n <= sealed:
            new.seal(data, 2 if kind == "source" else 9)
    for content in (TEXT, TEXT + b"read"):
        new.files[form.FILE_PREFIX + sha256(content).hex()] = content
    return new


def test_a_whole_dossier() -> None:
    report = made().check()
    assert (report.exit_code, report.findings) == (0, [])
    assert "whole up to entry 3: 3 of 3 are sealed in the log whose key you gave" in report.headline
    assert "2 of 2 files are what was taken in" in report.headline
    assert report.facts["sealed in leaves, first and last"] == [4, 6]
    assert report.facts["written by"] == ["A. Archivist"]
    assert "restarts" not in report.facts
    assert verify_dossier(made().pack()).exit_code == 3


def test_the_newest_note_seals_what_the_chain_names() -> None:
    whole = made()
    whole.notes, whole.beats = whole.notes[-1:], [0, whole.beats[-1]]
    report = whole.check()
    assert report.exit_code == 0
    assert "Through the chain, 3 of 3 are sealed" in report.checked


def test_what_came_after_the_last_note_is_not_sealed() -> None:
    report = made(sealed=2).check()
    assert set(report.counts) == {"dossier-unsealed"}
    assert "2 of 3 entries are sealed" in report.headline
    assert set(made(sealed=0).check().counts) == {"dossier-unsealed"}


def test_a_withheld_source_is_said_and_nothing_else_suffers() -> None:
    name = form.FILE_PREFIX + sha256(TEXT).hex()
    report = made().check(**{name: None})
    assert (report.exit_code, set(report.counts)) == (0, {"dossier-withheld"})
    assert report.headline.endswith("1 of 2 files are what was taken in. 1 file are withheld.")


def other(which: int, **changes: Any) -> list[bytes]:
    """The entries, one of them changed and sealed as it is."""
    written = entries()
    value = canonical.loads(written[which - 1], "entry")
    assert isinstance(value, dict)
    written[which - 1] = canonical.dumps({**value, **changes})
    return written


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        (other(3, previous="ab" * 32), {"dossier-chain"}),
        (other(3, n=4), {"dossier-chain"}),
        (other(3, dossier="2017-01-28/2"), {"dossier-chain"}),
        (other(3, kind="point"), {"dossier-chain"}),
        (other(3, by=""), {"dossier-entry"}),
        (other(2, kind="claim"), {"dossier-chain", "dossier-note", "container-entry"}),
        (other(2, body={"text": None}), {"dossier-chain", "container-entry"}),
    ],
)
def test_a_chain_that_does_not_hold(written: list[bytes], codes: set[str]) -> None:
    report = made(written).check()
    assert report.exit_code == 1
    assert codes <= set(report.counts)
    assert "Through the chain" not in " ".join(report.checked)


def test_an_entry_left_out() -> None:
    report = made().check(**{form.entry_name(2, "source"): None})
    assert {"dossier-chain", "dossier-note"} <= set(report.counts)
    none = made()
    none.files = {}
    assert {"dossier-entry", "dossier-note"} == set(none.check().counts)


def test_a_source_that_is_another() -> None:
    name = form.FILE_PREFIX + sha256(TEXT).hex()
    assert set(made().check(**{name: b"They spoke of Iran.\n"}).counts) == {"dossier-file"}
    stray = {form.FILE_PREFIX + "0" * 64: b"nobody's"}
    assert set(made().check(**stray).counts) == {"container-entry"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": 4}, "dossier-path"),
        ({"index": 60}, "dossier-note"),
        ({"slot": 1}, "dossier-note"),
        ({"object_hash": bytes(32)}, "dossier-path"),
    ],
)
def test_a_note_that_says_other_things(changes: dict[str, Any], code: str) -> None:
    whole = made(sealed=2)
    whole.seal(entries()[2], 9, **changes)
    assert set(whole.check().counts) == {code, "dossier-unsealed"}


def test_a_note_of_another_type_or_of_nothing_here() -> None:
    wrong = made(sealed=2)
    wrong.seal(entries()[2], 2)
    assert set(wrong.check().counts) == {"dossier-note"}
    more = made()
    more.seal(b"of another dossier", 9)
    assert set(more.check().counts) == {"dossier-note"}
    broken = made()
    broken.notes[0] = replace(broken.notes[0], leaf=bytes(80))
    assert set(broken.check().counts) == {"dossier-note"}


def test_beats_out_of_order_or_of_another_tree() -> None:
    turned = made()
    turned.beats = [0, *reversed(turned.beats[1:])]
    assert "beat-order" in turned.check().counts
    report = verify_dossier(made().pack(5), trust(made().world.vkeys()))
    assert {"beats-form", "beat-proof", "dossier-unsealed"} <= set(report.counts)


@pytest.mark.parametrize("name", form.FORM.order[2:])
@pytest.mark.parametrize("content", [None, b"", b"no such thing"])
def test_an_entry_that_is_missing_or_nonsense_never_ends_the_check(name: str, content: bytes | None) -> None:
    report = made().check(**{name: content})
    assert report.exit_code == 1


def test_any_changed_byte_is_found(untraced: None) -> None:
    whole = made()
    data, trusted = whole.pack(), trust(whole.world.vkeys())
    for place in [*range(0, len(data), 29), *range(len(data) - 60, len(data))]:
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        report = verify_dossier(changed, trusted)
        assert report.exit_code == 1, place
        assert set(report.counts) <= set(CODES)


def test_what_is_no_bundle_of_a_dossier() -> None:
    assert set(verify_dossier(b"PK").counts) == {"container-form"}
    nameless = verify_dossier(write_zip({MANIFEST: b"{}"}, form.FORM))
    assert "manifest-form" in nameless.counts
    assert "Dossier of no readable name" in nameless.headline


def test_the_stand_alone_verifier_tells_it_by_its_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = made()
    file = tmp_path / "dossier.zip"
    file.write_bytes(whole.pack())
    assert guess(str(file)) == "dossier"
    keys = [word for key in whole.world.vkeys() for word in ("--key", key)]
    assert main([str(file), *keys]) == 0
    assert main(["dossier", str(file), *keys]) == 0
    assert "Dossier 2017-01-28/1 is unaltered" in capsys.readouterr().out
    assert main(["call", str(file), *keys]) == 1
