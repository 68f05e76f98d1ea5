"""From files to answers: real signatures, honest logs and dishonest ones, again and again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify import builder as b
from tests.verify.watched import Watched
from tests.verify.witnesses import WITNESSES, cosigned, quick_check

from memcon.errors import FormatError
from memcon.record import beat as beats
from memcon.record import evidence
from memcon.record.beat import State
from memcon.record.hashing import sha256
from memcon.record.silence import Certificate, ProvenLeaf
from memcon.record.statement import Genesis
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note
from memcon.tlog.policy import Policy
from memcon.verify import remember, sync
from memcon.verify.attest import WORDS, Answer, Demand
from memcon.verify.findings import Report
from memcon.verify.sources import TooLarge
from memcon.verify.sync import Sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.verify.history import History

ON, SILENT, OFF, UNKNOWN = "attested recording", "silent", "declared off", "unknown"


class Files:
    """A source in memory that can change under the reader's feet."""

    def __init__(self, watched: Watched) -> None:
        self.files = watched.files()
        self.fetched: list[str] = []

    def fetch(self, path: str) -> bytes | None:
        self.fetched.append(path)
        return self.files.get(path)

    def paths(self) -> Iterator[str]:
        return iter(sorted(self.files))


class Asked:
    """A reader who keeps what was read."""

    def __init__(self, watched: Watched, policy: bytes | None = None, demand: Demand | None = None) -> None:
        self.watched = watched
        self.policy = Policy.parse(policy or watched.policy())
        self.demand = demand
        self.report = Report("log", "log")
        self.history: History | None = None

    def read(self, now: int | None = None, source: Files | None = None) -> Files:
        source = source or Files(self.watched)
        self.now = self.watched.world.slot * self.watched.period if now is None else now
        said: list[tuple[int, int]] = []
        reading = Sync(
            source,
            self.policy,
            self.report,
            self.now,
            demand=self.demand,
            check=quick_check,
            progress=lambda done, total: said.append((done, total)),
        )
        self.history = reading.run(self.history)
        kept = remember.to_bytes(self.history)
        assert remember.to_bytes(remember.from_bytes(kept)) == kept
        self.history = remember.from_bytes(kept)
        return source

    def answers(self) -> list[str]:
        """By slot after genesis, from 1."""
        assert self.history is not None
        return [WORDS[Answer(a)] for a in self.history.answers_at(self.policy, self.now)[1:]]

    @property
    def codes(self) -> set[str]:
        return set(self.report.counts)


def asked(watched: Watched, now: int | None = None) -> Asked:
    reader = Asked(watched)
    reader.read(now)
    return reader


def test_an_honest_log() -> None:
    reader = asked(Watched().beats(1, 5))
    assert reader.answers() == [ON] * 5 + [UNKNOWN]
    assert not reader.codes


def test_kill_nine_and_a_restart_with_a_refreshed_note() -> None:
    watched = Watched().beats(1, 3)
    watched.cosign(watched.at(7))  # at the start: the last checkpoint anew, at the same size
    watched.beat(7, State.DEGRADED)
    watched.beats(8, 11)
    assert asked(watched).answers() == [ON] * 3 + [SILENT] * 3 + ["degraded"] + [ON] * 4 + [UNKNOWN]


def test_a_log_that_stopped_is_silent_by_a_loose_cosignature_of_each_of_two_witnesses() -> None:
    watched = Watched().beats(1, 3)
    reader = asked(watched, watched.at(20))
    assert set(reader.answers()[3:]) == {UNKNOWN}
    for name in ("w1", "w3"):
        watched.loose(watched.at(10), name)
    reader.read(watched.at(20))
    assert reader.answers()[3:12] == [SILENT] * 3 + [UNKNOWN] * 6  # end + G of slot 7 is at 10, not after it


def test_declared_off_and_by_whom() -> None:
    watched = Watched().beats(1, 2)
    watched.beat(3, State.OFF, statement=watched.off(3))
    watched.cosign(watched.at(9))
    watched.beat(9, State.DEGRADED, statement=watched.on(9))
    reader = asked(watched, watched.at(10))
    assert reader.answers() == [ON, ON, OFF, SILENT, OFF, OFF, OFF, OFF, "degraded", UNKNOWN]
    assert reader.history is not None
    assert [type(said.statement).__name__ for said in reader.history.said] == ["Genesis", "Off", "On"]


def test_a_statement_of_some_lines_does_not_cover_a_recorder_that_stops() -> None:
    watched = Watched().beats(1, 2)
    watched.beat(3, State.PARTLY_OFF, statement=watched.off(3, lines=("0011223344556677",)))
    watched.cosign(watched.at(12))
    assert asked(watched).answers()[:3] == [ON, ON, "partly off"]
    assert asked(watched, watched.at(8)).answers()[2:6] == ["partly off", SILENT, SILENT, SILENT]


def test_every_cut_of_a_long_history_gives_the_answers_of_one_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Read in one go, in days, and again and again as it grows: the same answers."""
    monkeypatch.setattr(sync, "DAYS", 1)
    watched = Watched(period=60)
    told, slot = Asked(watched), 1
    days: dict[str, bytes] = {}
    for state, many in ((1, 40), (0, 25), (2, 3), (1, 60), (4, 30), (0, 20), (1, 40)):
        if state == 0:
            slot += many
            watched.cosign(watched.at(slot))
            continue
        statement = watched.off(slot) if state == 4 else bytes(32)
        for _ in range(many):
            watched.beat(slot, State(state), statement=statement)
            slot += 1
        told.read(watched.at(slot))
        days = watched.files()
    once = Asked(watched)
    monkeypatch.setattr(sync, "DAYS", 10_000)
    once.read(watched.at(slot))
    assert told.answers() == once.answers()
    assert told.history is not None
    assert len(told.history.answers) > 100  # most of it is settled
    assert len(told.history.tail) < 60
    counts = {word: told.answers().count(word) for word in set(told.answers())}
    assert counts[SILENT] == 25
    assert counts["degraded"] == 3
    assert days


def test_a_sync_reads_only_what_is_new() -> None:
    watched = Watched().beats(1, 259)
    reader = asked(watched)
    watched.beats(260, 261)
    fetched = reader.read().fetched
    assert sum(path.startswith("note/") and "index" not in path for path in fetched) == 2
    assert sum(path.startswith("tile/entries/") for path in fetched) <= 2


def test_index_of_a_slot_across_gaps() -> None:
    watched = Watched().beats(1, 3).beats(6, 7)
    reader = asked(watched)
    assert reader.history is not None
    found = [reader.history.index_of(watched.genesis + slot) for slot in (-1, 0, 3, 4, 5, 6, 7, 8)]
    assert found == [None, 0, 3, None, None, 4, 5, None]


# ---------------------------------------------------------------------- dishonest or damaged


def test_another_key_another_log() -> None:
    watched = Watched().beats(1, 2)
    other = b.World(mldsa=False, key_name="another")
    reader = Asked(
        watched,
        policy=b"".join(f"log {k}\n".encode() for k in other.vkeys()) + watched.policy().split(b"\n", 1)[1],
    )
    with pytest.raises(FormatError, match="not signed by a log that the policy names"):
        reader.read()


def test_a_fork_is_told_with_the_note_that_shows_it() -> None:
    watched = Watched().beats(1, 2)
    path, other = watched.show_twin()
    reader = asked(watched)
    assert reader.codes == {"log-fork"}
    assert other.hex() in reader.report.findings[0].text
    again = Asked(watched)
    del watched.extra[path]
    again.read()
    watched.show_twin()
    again.read()
    assert "log-fork" in again.codes


def test_a_stopped_log_settles_to_its_end() -> None:
    watched = Watched(period=60).beats(1, 5)
    watched.cosign(watched.at(60))
    reader = asked(watched, watched.at(70))
    assert reader.history is not None
    assert [leaf.index for leaf in reader.history.tail] == [5]
    assert reader.answers()[5:] == [SILENT] * 51 + [UNKNOWN] * 14
    watched.extra.clear()
    reader.read(watched.at(71))
    assert reader.answers()[5:] == [SILENT] * 51 + [UNKNOWN] * 15


def test_a_silence_certificate_is_evidence() -> None:
    watched = Watched().beats(1, 3)
    genesis, last = (
        ProvenLeaf(n, watched.world.entries[n], tuple(watched.world.proven(n, 4).proof)) for n in (0, 3)
    )
    said = next(iter(watched.world.statements.values()))
    note = cosigned(watched.world.checkpoint(), {"w1": watched.at(10), "w2": watched.at(12)})
    made = Certificate(said, genesis, last, Note.parse(note)).encode()
    reader = asked(watched, watched.at(20))
    for data in (made, b"none", made.replace(b"leaf 0 ", b"leaf 1 ")):
        watched.extra[evidence.hashed_path("silence", sha256(data))] = data
        watched.append(evidence.SILENCE_INDEX, evidence.Entry(4, 0, sha256(data)).encode())
    watched.append(evidence.SILENCE_INDEX, evidence.Entry(4, 0, bytes(32)).encode())
    reader.read(watched.at(20))
    assert reader.answers()[3:12] == [SILENT] * 3 + [UNKNOWN] * 6
    assert reader.codes == {"note-form", "note-missing"}


def test_a_larger_checkpoint_that_the_log_never_signed_withholds_nothing() -> None:
    watched = Watched().beats(1, 2)
    text = Checkpoint(watched.world.origin, 9, bytes(32)).to_bytes()
    note = Note(text, tuple(WITNESSES[n].cosign(text, watched.at(3)) for n in ("w1", "w2")))
    watched.append(evidence.cosignature_path(watched.at(3)), evidence.encode_cosignatures(note))
    reader = asked(watched, watched.at(30))
    assert "withheld" not in reader.answers()
    assert reader.history is not None
    assert not reader.history.unserved


def test_a_checkpoint_of_an_empty_log_says_nothing() -> None:
    watched = Watched().beats(1, 2)
    reader = asked(watched)
    text = Checkpoint(watched.world.origin, 0, sha256(b"")).to_bytes()
    note = Note(text, (WITNESSES["w1"].cosign(text, watched.at(3)),))
    watched.append(evidence.cosignature_path(watched.at(3)), evidence.encode_cosignatures(note))
    reader.read()
    assert reader.answers()[:2] == [ON, ON]
    assert not reader.codes


def test_evidence_that_vanishes_between_two_looks_is_not_counted() -> None:
    """A note that is listed, of a larger log, and gone when the log's signature is to be checked."""
    watched = Watched().beats(1, 2)
    source = Files(watched)
    watched.beats(3, 3)
    path = evidence.hashed_path("note", watched.newest[0])
    source.files[path] = watched.extra[path]
    source.files[evidence.index_path(watched.at(4))] = watched.extra[evidence.index_path(watched.at(4))]
    fetch = source.fetch

    def once(name: str) -> bytes | None:
        found = fetch(name)
        if name == path:
            source.files.pop(path, None)
        return found

    source.fetch = once  # type: ignore[method-assign, assignment]
    reader = Asked(watched)
    reader.read(watched.at(9), source)
    assert reader.history is not None
    assert not reader.history.unserved


def test_days_without_evidence_and_evidence_filed_days_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "DAYS", 1)
    watched = Watched(period=60)
    watched.extra.clear()
    watched.cosign(watched.at(2900))  # two days after genesis
    watched.beats(2900, 2901)
    watched.leaf(2902)
    for slot in (6000, 7500):  # on the fifth day and the sixth
        watched.cosign(watched.at(slot))
        watched.beats(slot, slot + 20)
    assert asked(watched).answers()[2899:2903] == [ON, ON, "late", SILENT]
    text = Note.parse(watched.world.checkpoint(4)).text
    for name in ("w1", "w2"):  # dated in time, filed on the last day: all is read again, in one go
        note = Note(text, (WITNESSES[name].cosign(text, watched.at(2903)),))
        path = evidence.cosignature_path(watched.at(7500))
        watched.append(path, evidence.encode_cosignatures(note))
    assert asked(watched).answers()[2899:2903] == [ON, ON, ON, SILENT]


def test_bytes_of_the_right_hash_that_are_no_note_and_loose_ones_of_another_log() -> None:
    watched = Watched().beats(1, 1)
    watched.extra[evidence.hashed_path("note", sha256(b"none"))] = b"none"
    entry = evidence.Entry(1, 0, sha256(b"none")).encode()
    watched.append(evidence.index_path(watched.at(1)), entry)
    other = b.World(mldsa=False, origin="other.example")
    other.genesis()
    watched.append(
        evidence.cosignature_path(watched.at(1)), evidence.encode_cosignatures(Note.parse(other.checkpoint()))
    )
    leaf = ProvenLeaf(0, other.entries[0], ())
    made = Certificate(b"", leaf, leaf, Note.parse(other.checkpoint())).encode()
    watched.extra[evidence.hashed_path("silence", sha256(made))] = made
    watched.append(evidence.SILENCE_INDEX, evidence.Entry(1, 0, sha256(made)).encode())
    reader = asked(watched)
    assert (reader.codes, reader.report.counts["note-form"]) == ({"note-form"}, 3)


def test_a_note_that_the_log_never_signed_is_not_its_fault() -> None:
    watched, liar = Watched().beats(1, 2), Watched()
    liar.world.ed, liar.world.ml = b.make_keys("somebody")
    liar.beats(1, 1)
    liar.beat(2, State.DEGRADED)
    note = liar.extra[evidence.hashed_path("note", liar.newest[0])]
    watched.extra[evidence.hashed_path("note", sha256(note))] = note
    watched.append(evidence.index_path(watched.at(3)), evidence.Entry(3, 0, sha256(note)).encode())
    assert asked(watched).codes == {"note-form"}


def test_a_log_rewritten_after_it_was_read_is_refused() -> None:
    watched = Watched().beats(1, 3)
    reader = asked(watched)
    other = Watched().beats(1, 2)
    other.beat(3, State.DEGRADED)
    other.extra.clear()
    other.beats(4, 5)
    reader.watched = other
    with pytest.raises(FormatError, match="not the log whose first 4 leaves were read"):
        reader.read()
    assert "log-fork" in reader.codes


def test_a_log_that_shrinks_is_told_and_what_was_read_still_holds() -> None:
    watched = Watched().beats(1, 3)
    reader = asked(watched)
    short = Files(Watched().beats(1, 2))
    reader.read(source=short)
    assert "log-shrunk" in reader.codes
    assert reader.answers()[:3] == [ON] * 3


def test_leaves_that_are_cosigned_and_not_served_are_withheld_after_a_while() -> None:
    watched = Watched().beats(1, 2)
    served = watched.world.files()
    watched.beats(3, 5)
    source = Files(watched)
    source.files |= served
    reader = Asked(watched)
    reader.read(watched.at(6), source)
    assert reader.answers()[2:] == [UNKNOWN] * 4  # it may be on its way
    reader.read(watched.at(9), source)
    assert reader.answers()[2:] == ["withheld"] * 4 + [UNKNOWN] * 3
    reader.read(watched.at(9))
    assert reader.answers()[:5] == [ON] * 5
    assert not reader.codes


def test_a_cosignature_that_reaches_back_into_settled_time_is_taken_from_the_start() -> None:
    watched = Watched(period=60).beats(1, 5)
    watched.leaf(6)
    watched.cosign(watched.at(20))  # its quorum came far too late, it seems
    watched.beats(20, 60)
    reader = asked(watched)
    assert reader.answers()[5] == "late"
    for name in ("w1", "w2"):
        watched.loose(watched.at(7), name, size=7)
    reader.read()
    assert reader.answers()[5] == ON


def test_what_is_missing_or_damaged_beside_the_tiles_counts_for_nothing() -> None:
    watched = Watched().beats(1, 4)
    for n, digest in enumerate(
        e.digest for e in evidence.read_entries(watched.extra[evidence.index_path(watched.at(1))])
    ):
        path = evidence.hashed_path("note", digest)
        if n == 2:
            del watched.extra[path]
        if n == 3:
            watched.extra[path] = watched.extra[path].replace(b"AAAA", b"AAAB") + b"x"
    reader = asked(watched)
    # the quorum of leaf 2 is seen with leaf 3's; leaf 3 names the note that is gone, leaf 4 the damaged one
    assert reader.answers()[:2] == [ON, ON]
    assert reader.answers()[2:4] == ["early", "early"]
    assert reader.codes == {"note-missing", "note-form"}


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("note/index-2027-01-15", b"\xff" * 48),
        ("cosignature/2027-01-15", b"\xff" * 8),
        ("cosignature/2027-01-15", b"\0\0\0\4abcd"),
    ],
)
def test_evidence_files_that_are_none(path: str, data: bytes) -> None:
    watched = Watched()
    watched.append(path, data)
    reader = asked(watched.beats(1, 2))
    assert "note-form" in reader.codes


def test_a_cosignature_that_does_not_hold_spoils_its_note() -> None:
    watched = Watched().beats(1, 1)
    text = watched.world.checkpoint()
    note = watched.extra[evidence.hashed_path("note", watched.newest[0])]
    other = note.replace(text.split(b"\n\n")[0], text.split(b"\n\n")[0].replace(b"\n2\n", b"\n3\n"))
    watched.extra[evidence.hashed_path("note", sha256(other))] = other
    watched.append(evidence.index_path(watched.at(2)), evidence.Entry(3, 0, sha256(other)).encode())
    reader = asked(watched)
    assert reader.codes == {"note-form"}
    assert "does not hold" in reader.report.findings[0].text


def test_notes_of_another_log_count_for_nothing() -> None:
    watched = Watched().beats(1, 1)
    other = b.World(mldsa=False, origin="other.example")
    other.genesis()
    watched.extra["note/" + sha256(other.checkpoint()).hex()] = other.checkpoint()
    watched.append(
        evidence.index_path(watched.at(1)), evidence.Entry(1, 0, sha256(other.checkpoint())).encode()
    )
    assert asked(watched).codes == {"note-form"}


def test_a_file_that_only_grows_and_has_shrunk() -> None:
    watched = Watched().beats(1, 3)
    reader = asked(watched)
    watched.extra[evidence.index_path(watched.at(1))] = b""
    reader.read()
    assert reader.codes == {"evidence-shrunk"}


def test_a_file_of_evidence_that_is_too_large_is_a_finding_and_not_the_end() -> None:
    watched = Watched().beats(1, 3)
    path = evidence.cosignature_path(watched.at(1))

    class Large(Files):
        def fetch(self, name: str) -> bytes | None:
            if name == path:
                raise TooLarge(f"{name} is larger than any may be")
            return super().fetch(name)

    reader = Asked(watched)
    reader.read(source=Large(watched))
    assert reader.codes == {"evidence-large"}
    assert reader.report.findings[0].severity == "warning"


def test_statements_that_are_missing_damaged_or_of_another_log() -> None:
    watched = Watched()
    watched.beat(1, statement=b"\1" * 32)
    watched.beat(2, statement=watched.world.state(b"{}"))
    watched.world.origin, origin = "other.example", watched.world.origin
    alien = watched.off(3)
    watched.world.origin = origin
    watched.beat(3, statement=alien)
    assert asked(watched).codes == {"statement-missing", "statement-form", "statement-fit"}


def test_terms_that_the_checker_does_not_accept() -> None:
    reader = Asked(Watched().beats(1, 1), demand=Demand(g=1))
    with pytest.raises(FormatError, match="you accept"):
        reader.read()


def test_leaves_that_do_not_follow() -> None:
    wrong: list[dict[str, Any]] = [{"index": 9}, {"slot": 1}, {"period_ms": 999}]
    for changes in wrong:  # each by itself
        watched = Watched().beats(1, 1)
        watched.world.beat(**changes)
        with pytest.raises(FormatError, match="does not follow"):
            asked(watched)


def test_a_log_that_has_no_beginning() -> None:
    watched = Watched().beats(1, 1)
    source = Files(watched)
    del source.files["checkpoint"]
    with pytest.raises(FormatError, match="no checkpoint"):
        Asked(watched).read(source=source)
    statement = next(path for path in source.files if path.startswith("statement/"))
    source = Files(watched)
    del source.files[statement]
    with pytest.raises(FormatError, match="is not served"):
        Asked(watched).read(source=source)


def test_genesis_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for data, problem in ((None, "no genesis"), (b"", "no leaf")):
        watched = Watched()
        if data is None:
            off = watched.off(1)
            first = replace(beats.decode(watched.world.entries[0]), statement=off)
            watched.world.entries[0] = first.encode()
        else:
            watched.world.entries.clear()
        with pytest.raises(FormatError, match=problem):
            asked(watched)
    watched = Watched()
    said = Genesis("other.example", 10_000, 3, 2, "now", ())
    first = replace(beats.decode(watched.world.entries[0]), statement=watched.world.state(said.encode()))
    watched.world.entries[0] = first.encode()
    with pytest.raises(FormatError, match="do not fit"):
        asked(watched)


def test_another_log_in_the_place_of_the_one_that_was_read() -> None:
    reader = asked(Watched().beats(1, 2))
    other = Watched()
    other.world = b.World(mldsa=False, origin="other.example", period_ms=10_000, key_name="other")
    other.world.genesis()
    reader.policy = Policy.parse(
        reader.watched.policy().replace(b"log ", b"log " + other.world.vkeys()[0].encode() + b"\nlog ", 1)
    )
    reader.watched = other
    other.extra.clear()
    with pytest.raises(FormatError, match="not of 'recorder"):
        reader.read()


def test_leaves_that_do_not_lead_to_the_signed_root() -> None:
    watched = Watched().beats(1, 3)
    source = Files(watched)
    other = Watched()
    other.beat(1, State.DEGRADED)
    other.beats(2, 3)
    source.files |= {p: d for p, d in other.files().items() if p.startswith("tile/")}
    reader = Asked(watched)
    with pytest.raises(FormatError, match="do not lead to the root"):
        reader.read(source=source)
    assert "checkpoint-root" in reader.codes


def test_a_kept_history_that_was_cut_or_changed_is_not_used() -> None:
    reader = asked(Watched().beats(1, 2))
    assert reader.history is not None
    kept = remember.to_bytes(reader.history)
    for data in (b"", kept[:-1], kept[:40] + b"~" + kept[41:], b"x" * 100):
        with pytest.raises(FormatError):
            remember.from_bytes(data)
