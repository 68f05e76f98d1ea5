"""Mirrors: everything checked before it is kept, and what a hostile log gets for its lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.verify.builder import World, write_files

from memcon.clock import NS, ManualClock
from memcon.errors import FormatError, MachineError
from memcon.record import evidence
from memcon.record.hashing import sha256
from memcon.store.copy import LogCopy
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note
from memcon.verify.log import verify_log
from memcon.verify.sources import Directory
from memcon.witness.archive import Archive
from memcon.witness.client import WitnessClient
from memcon.witness.keys import QuickVerifier
from memcon.witness.mirror import MAX_STAMP, MOST_ABSENT, Mirror
from memcon.witness.prove import prove

if TYPE_CHECKING:
    from pathlib import Path

    from tests.witness.site import Site


class Tampered:
    """A source whose files a test replaces; None: not there; an error: raised."""

    def __init__(self, root: Path) -> None:
        self._inner = Directory(root)
        self.files: dict[str, bytes | Exception | None] = {}

    def fetch(self, path: str) -> bytes | None:
        if path not in self.files:
            return self._inner.fetch(path)
        found = self.files[path]
        if isinstance(found, Exception):
            raise found
        return found

    def paths(self) -> Any:
        return self._inner.paths()


class Mirrored:
    def __init__(self, site: Site, **changes: Any) -> None:
        self.site = site
        self.clock = ManualClock()
        self.root = site.folder / "mirror"
        self.source = Tampered(site.log)
        self.changes = changes
        self.start()

    def start(self) -> None:
        world, policy = self.site.world, self.site.policy
        self.mirror = Mirror(self.root, world.origin, self.source, policy, self.clock, **self.changes)

    def step(self) -> list[str]:
        self.clock.advance(60 * NS)
        self.mirror.step()
        return self.mirror.troubles

    def file(self, path: str) -> bytes:
        return (self.root / path).read_bytes()


@pytest.fixture
def mirrored(site: Site) -> Mirrored:
    return Mirrored(site)


def cosign(site: Site, names: tuple[int, ...] = (0, 1, 2), size: int | None = None) -> Note:
    """The log's note of a size with cosignatures by these witnesses, dated by the site's clock."""
    note = Note.parse(site.world.checkpoint(size))
    time = site.clock.wall_ns() // NS
    for n in names:
        note = note.add(*site.witnesses[n]._cosigner.cosign(Checkpoint.parse(note.text), note.text, time))
    return note


def archive(site: Site, note: Note, *, time: int | None = None) -> bytes:
    """As the recorder keeps it."""
    size = Checkpoint.parse(note.text).size
    return Archive(site.log).add_note(note.to_bytes(), size, time or site.clock.wall_ns() // NS)


def test_a_mirror_is_read_like_the_log(site: Site, mirrored: Mirrored) -> None:
    digests = [archive(site, cosign(site))]
    site.grow(299)
    digests.append(archive(site, cosign(site)))
    (site.log / "policy").write_bytes(site.text)
    assert mirrored.step() == []
    assert mirrored.mirror.size == 300
    assert mirrored.mirror.reachable
    assert verify_log(mirrored.root).ok
    assert {sha256(mirrored.file(f"note/{d.hex()}")) for d in digests} == set(digests)
    index = mirrored.file(evidence.index_path(1_800_000_000))
    assert {e.digest for e in evidence.read_entries(index)} == set(digests)
    assert mirrored.file("policy") == site.text
    assert mirrored.mirror.look_seconds == 0.5
    site.grow(3)
    mirrored.start()  # as after a restart
    assert mirrored.step() == []
    assert mirrored.mirror.size == 303
    site.clock.step_wall(700 * NS)
    proved = prove(Directory(mirrored.root), site.policy)
    assert proved.certificate is not None
    Archive(site.log).add_certificate(proved.certificate, proved.size, proved.time or 0)
    assert mirrored.step() == []
    assert mirrored.file(f"silence/{sha256(proved.certificate).hex()}") == proved.certificate
    assert mirrored.step() == []
    assert mirrored.mirror.look_seconds == 0.5


def test_time_stamps_are_kept_by_their_hash(site: Site, mirrored: Mirrored) -> None:
    kept = Archive(site.log)
    digests = [kept.add_stamp(data, 1, 1) for data in (b"one", b"two" * MAX_STAMP, b"gone")]
    (site.log / evidence.hashed_path("timestamp", digests[2])).write_bytes(b"changed")
    assert len(mirrored.step()) == 1
    assert mirrored.file(evidence.hashed_path("timestamp", digests[0])) == b"one"
    assert [entry.digest for entry in evidence.read_entries(mirrored.file(evidence.STAMP_INDEX))] == digests[
        :1
    ]


def test_drand_rounds_of_a_day_grow(site: Site, mirrored: Mirrored) -> None:
    path = f"drand/{evidence.day_of(mirrored.clock.wall_ns() // NS)}"
    (site.log / "drand").mkdir()
    for data in (b"1" * 56, b"1" * 112):
        (site.log / path).write_bytes(data)
        assert mirrored.step() == []
        assert mirrored.file(path) == data
    (site.log / path).write_bytes(b"2" * 168)  # other bytes than before
    mirrored.step()
    assert mirrored.file(path) == b"1" * 112


def test_notes_that_leaves_name_come_with_them(site: Site, mirrored: Mirrored) -> None:
    digest = archive(site, cosign(site))
    site.world.beat(note_hash=digest, note_size=1)
    site.world.beat(note_hash=bytes([7]) * 32, note_size=1)
    site.publish()
    mirrored.source.files |= {"cosigned": None, evidence.index_path(1_800_000_000): None}
    (trouble,) = mirrored.step()
    assert "is not served" in trouble
    assert sha256(mirrored.file(f"note/{digest.hex()}")) == digest
    assert not (mirrored.root / "cosigned").exists()
    assert mirrored.mirror.size == 3


@pytest.mark.parametrize("answer", [None, b"other", MachineError("away")])
@pytest.mark.parametrize("restarted", [False, True])
def test_what_leaves_name_is_asked_for_until_it_comes(
    site: Site, mirrored: Mirrored, answer: Any, restarted: bool
) -> None:
    digest = archive(site, cosign(site))
    site.world.beat(note_hash=digest, note_size=1)
    site.publish()
    (statement,) = site.world.statements
    late = [f"note/{digest.hex()}", f"statement/{statement}"]
    mirrored.source.files = dict.fromkeys(["cosigned", evidence.index_path(1_800_000_000)]) | dict.fromkeys(
        late, answer
    )
    assert mirrored.step() != []
    assert not any((mirrored.root / path).exists() for path in late)
    if restarted:
        mirrored.start()
    for path in late:
        del mirrored.source.files[path]
    assert mirrored.step() == []
    assert [sha256(mirrored.file(path)).hex() for path in late] == [digest.hex(), statement]


def test_what_never_comes_keeps_nothing_else_waiting(site: Site, mirrored: Mirrored) -> None:
    digest = archive(site, cosign(site))
    for n in range(MOST_ABSENT + 4):
        site.world.beat(note_hash=bytes([n + 1]) * 32, note_size=1)
    site.world.beat(note_hash=digest, note_size=1)
    site.publish()
    mirrored.source.files = dict.fromkeys(["cosigned", evidence.index_path(1_800_000_000)])
    assert len(mirrored.step()) == MOST_ABSENT
    mirrored.step()
    assert sha256(mirrored.file(f"note/{digest.hex()}")) == digest


def test_its_own_cosignature_stands_under_the_checkpoint(site: Site) -> None:
    said: list[bytes] = []

    def own(text: bytes) -> Any:
        return cosign(site, (0,)).signatures[2:] if text in said else ()

    mirrored = Mirrored(site, own=own)
    mirrored.step()
    assert len(Note.parse(mirrored.file("checkpoint")).signatures) == 2
    said.append(Note.parse(mirrored.file("checkpoint")).text)
    mirrored.step()
    mirrored.step()
    assert len(Note.parse(mirrored.file("checkpoint")).signatures) == 4


def test_other_witnesses_are_heard(site: Site) -> None:
    keys = [QuickVerifier(key) for key in site.witnesses[1]._cosigner.vkeys]
    client = WitnessClient(site.servers[1].url + "/sub", keys)
    away = WitnessClient("http://127.0.0.1:1/", keys, 0.5)
    mirrored = Mirrored(site, others=[client, away])
    (problem,) = mirrored.step()
    assert "no answer" in problem
    note = Note.parse(site.world.checkpoint())
    client.submit(note, Checkpoint.parse(note.text), lambda old: [])
    mirrored.step()
    mirrored.step()
    data = mirrored.file(evidence.cosignature_path(1_800_000_000))
    ((kept, _),) = evidence.read_cosignatures(data)
    assert {s.name for s in kept.signatures} == {"w1.example"}
    client.close()


def test_loose_cosignatures(site: Site, mirrored: Mirrored) -> None:
    late = Note(cosign(site).text, cosign(site, (2,)).signatures[2:])
    path = evidence.cosignature_path(1_800_000_000)
    stranger = Note.parse(site.world.checkpoint())
    other = World(origin="other.example")
    other.genesis()
    foreign = Note.parse(other.checkpoint())
    foreign = Note(
        foreign.text, site.witnesses[0]._cosigner.cosign(Checkpoint.parse(foreign.text), foreign.text, 7)
    )
    records = [evidence.encode_cosignatures(note) for note in (late, stranger, foreign, late)]
    write_files(site.log, {path: b"".join(records)})
    troubles = mirrored.step()
    assert len(troubles) == 2
    assert mirrored.file(path) == records[0]
    assert mirrored.step() == []


def bad_bundle(site: Site, source: Tampered) -> None:
    data = bytearray((site.log / "tile/entries/000.p/5").read_bytes())
    data[300] ^= 1
    source.files["tile/entries/000.p/5"] = bytes(data)


def bad_tree(site: Site, source: Tampered) -> None:
    """Entries and their tile agree with each other and not with the checkpoint."""
    other = World()
    other.genesis()
    for _ in range(4):
        other.beat(skip=1)
    files = other.files()
    source.files |= {path: data for path, data in files.items() if path.startswith("tile")}


def unsigned(site: Site, source: Tampered) -> None:
    stranger = World(key_name="stranger")
    stranger.genesis()
    source.files["checkpoint"] = stranger.checkpoint()


@pytest.mark.parametrize("harm", [bad_bundle, bad_tree, unsigned])
def test_nothing_is_kept_that_does_not_hold(site: Site, mirrored: Mirrored, harm: Any) -> None:
    site.grow(4)
    harm(site, mirrored.source)
    assert len(mirrored.step()) == 1
    assert mirrored.mirror.size == 0
    assert not (mirrored.root / "checkpoint").exists()
    mirrored.source.files.clear()
    assert mirrored.step() == []
    assert mirrored.mirror.size == 5
    assert verify_log(mirrored.root).ok


@pytest.mark.parametrize("answer", [None, b"no note", MachineError("away")])
def test_a_site_that_is_away(site: Site, mirrored: Mirrored, answer: Any) -> None:
    mirrored.step()
    mirrored.source.files["checkpoint"] = answer
    assert len(mirrored.step()) == 1
    assert not mirrored.mirror.reachable
    assert mirrored.mirror.size == 1


def test_a_missing_statement_is_told_and_the_leaves_are_kept(site: Site, mirrored: Mirrored) -> None:
    (name,) = site.world.statements
    mirrored.source.files[f"statement/{name}"] = b"other"
    (trouble,) = mirrored.step()
    assert "statement/" in trouble
    assert mirrored.mirror.size == 1


def test_a_log_that_shrinks_or_forks_is_kept_as_a_conflict(site: Site, mirrored: Mirrored) -> None:
    site.grow(4)
    mirrored.step()
    mirrored.source.files["checkpoint"] = site.world.checkpoint(3)
    (trouble,) = mirrored.step()
    assert "serves 3 leaves, 5 were there before" in trouble
    other = World()
    other.genesis()
    for _ in range(4):
        other.beat(skip=1)
    mirrored.source.files["checkpoint"] = other.checkpoint()
    (trouble,) = mirrored.step()
    assert "another history of 5 leaves" in trouble
    mirrored.source.files["checkpoint"] = other.checkpoint(3)
    (trouble,) = mirrored.step()
    assert "another history of 3 leaves" in trouble
    kinds = sorted(
        evidence.read_conflict(p.read_bytes()).kind for p in (mirrored.root / "conflict").iterdir()
    )
    assert kinds == ["fork", "withheld"]
    assert mirrored.mirror.size == 5


def test_notes_that_do_not_hold(site: Site, mirrored: Mirrored) -> None:
    site.grow(1)
    other = World()
    other.genesis()
    other.beat(skip=1)
    fork = Note.parse(other.checkpoint())
    gone = archive(site, cosign(site, size=1))
    (site.log / "note" / gone.hex()).unlink()
    bad = Archive(site.log).add_note(b"no note", 1, 1_800_000_000)
    parted = archive(site, fork)
    newest = mirrored.source.files["cosigned"] = cosign(site).to_bytes()
    troubles = mirrored.step()
    assert len(troubles) == 3
    assert not (mirrored.root / "note" / bad.hex()).exists()
    assert (mirrored.root / "note" / parted.hex()).exists()  # two histories, both signed: evidence
    assert len(list((mirrored.root / "conflict").iterdir())) == 1
    assert (mirrored.root / "note" / sha256(newest).hex()).exists()


def test_a_certificate_that_does_not_hold_is_not_kept(site: Site, mirrored: Mirrored) -> None:
    Archive(site.log).add_certificate(b"memcon/silence/v1\n", 1, 5)
    mirrored.step()
    assert list(Archive(mirrored.root).certificates()) == []


def test_any_log_can_be_mirrored(tmp_path: Path, site: Site) -> None:
    """Leaves that are no beats are only leaves."""
    site.world.entries = [b"entry %d" % n for n in range(3)]
    site.publish()
    mirrored = Mirrored(site)
    mirrored.step()
    assert mirrored.mirror.size == 3
    assert mirrored.mirror.look_seconds == 2.5


class TestCopy:
    def test_it_refuses_tiles_that_do_not_lead_to_its_checkpoint(
        self, site: Site, mirrored: Mirrored
    ) -> None:
        site.grow(4)
        mirrored.step()
        entries = mirrored.root / "tile/entries/000.p/5"
        data = bytearray(entries.read_bytes())
        data[-1] ^= 1
        entries.write_bytes(data)
        with pytest.raises(FormatError, match="do not give the checkpoint's root"):
            LogCopy(mirrored.root).resume()

    def test_a_check_that_fails_writes_nothing(self, tmp_path: Path) -> None:
        copy = LogCopy(tmp_path / "c")
        assert copy.resume() is None

        def refuse(size: int, root: bytes) -> None:
            raise FormatError("log", "no")

        with pytest.raises(FormatError):
            copy.grow([b"x"], refuse)
        assert copy.size == 0
        assert list((tmp_path / "c").iterdir()) == []
        copy.grow([b"%d" % n for n in range(256)], lambda *_: None)
        copy.grow([b"x"], lambda *_: None)
        assert copy.size == 257


def test_of_a_site_that_does_not_answer_nothing_more_is_asked(
    site: Site, mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    fetch = mirrored.source.fetch

    def ask(path: str) -> bytes | None:
        asked.append(path)
        return fetch(path)

    monkeypatch.setattr(mirrored.source, "fetch", ask)
    mirrored.source.files["cosigned"] = MachineError("too slow")
    assert mirrored.step() == ["too slow"]
    assert asked[-1] == "cosigned"
