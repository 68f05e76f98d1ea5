"""A mirror whose files are cut, swapped, made up or gone: a finding or a refusal, never a better answer.

Whoever keeps the files can take evidence away, and so make slots *unknown*, *late* or *silent*; never can
he make a slot attested, declared off or degraded that was not, and what he did is told at each question.
"""

from __future__ import annotations

import json
import os
import random
from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING

import pytest
from tests.verify.test_sync import ON, SILENT, UNKNOWN, Asked, Files, asked
from tests.verify.watched import Watched
from tests.verify.witnesses import cosigned, quick_check

from memcon.errors import FormatError, MemconError
from memcon.record import evidence
from memcon.record.beat import State
from memcon.record.hashing import sha256
from memcon.record.silence import Certificate, ProvenLeaf
from memcon.record.statement import Explanation
from memcon.tlog.note import Note
from memcon.tlog.policy import Policy
from memcon.verify import cosigned as cosigned_reader
from memcon.verify.asking import Asker
from memcon.verify.attest import Answer
from memcon.verify.findings import Report
from memcon.verify.sources import Directory
from memcon.verify.sync import Sync
from memcon.verify.was_it_on import Question, ask, to_json, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 26


@cache
def eventful() -> Watched:
    """Beats, an outage with its certificate, a refreshed note, an off and an on, an explanation."""
    watched = Watched().beats(1, 3)
    proven = [ProvenLeaf(n, watched.world.entries[n], tuple(watched.world.proven(n).proof)) for n in (0, 3)]
    said = next(iter(watched.world.statements.values()))
    note = cosigned(watched.world.checkpoint(), {"w1": watched.at(7.5), "w2": watched.at(7.6)})
    made = Certificate(said, proven[0], proven[1], Note.parse(note)).encode()
    watched.extra[evidence.hashed_path("silence", sha256(made))] = made
    watched.append(evidence.SILENCE_INDEX, evidence.Entry(4, watched.at(7.5), sha256(made)).encode())
    watched.cosign(watched.at(8))
    watched.beat(8, State.DEGRADED)
    watched.beats(9, 11)
    off = watched.off(12)
    watched.beat(12, statement=off)
    watched.beat(13, State.OFF, statement=off)
    watched.beat(16, State.OFF, statement=off)
    watched.beat(17, statement=watched.on(17))
    world = watched.world
    why = Explanation(world.origin, watched.genesis + 4, watched.genesis + 7, "J. Ruiz", "by hand", "a fuse")
    watched.beat(18, statement=world.state(why.encode()))
    watched.beats(19, 22)
    watched.loose(watched.at(23.5), "w3")
    return watched


def judged(files: dict[str, bytes], watched: Watched) -> tuple[bytearray, bool, Report]:
    """The answer of each slot, whether the log or its copy is told to contradict itself, the report."""
    source = Files(watched)
    source.files = files
    policy, report, now = Policy.parse(watched.policy()), Report("mirror", "log"), watched.at(NOW)
    history = Sync(source, policy, report, now, check=quick_check).run()
    question = Question(watched.ms(0), watched.ms(NOW))
    reply = ask(history, policy, question, now, report)
    to_text(reply, UTC).encode()
    json.dumps(to_json(reply, UTC), ensure_ascii=False).encode()
    return history.answers_at(policy, now), reply.contradicted, report


def changes(data: bytes, others: list[bytes], chance: random.Random) -> Iterator[bytes | None]:
    yield from (None, b"", bytes(len(data)), b"\xff" * len(data), data[::-1], data + data)
    yield from (data[:-1], data[1:], data[: len(data) // 2], data + b"\xff" * 48, b"\0" * 48 + data)
    yield from (others[n] for n in chance.sample(range(len(others)), min(1, len(others))))
    for _ in range(2):
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield bytes(changed)


@pytest.mark.parametrize("kind", ["checkpoint", "tile", "statement", "note", "cosignature", "silence"])
def test_no_damage_makes_an_answer_better(kind: str) -> None:
    watched, chance = eventful(), random.Random(kind)
    whole = watched.files()
    before, _, clean = judged(whole, watched)
    assert not clean.counts
    assert {Answer(a) for a in before} >= {Answer.ATTESTED, Answer.SILENT, Answer.DECLARED_OFF}
    told = refused = 0
    paths = [p for p in whole if p.startswith(kind)]
    for path in chance.sample(paths, min(3, len(paths))):
        others = [data for name, data in whole.items() if name.startswith(kind) and name != path]
        for data in changes(whole[path], others, chance):
            files = dict(whole)
            if data is None:
                del files[path]
            elif data != whole[path]:
                files[path] = data
            else:
                continue
            try:
                after, contradicted, report = judged(files, watched)
            except MemconError:
                refused += 1
                continue
            told += bool(report.counts)
            gained = [
                slot
                for slot, (a, b) in enumerate(zip(before, after, strict=True))
                if b < a and b != Answer.UNKNOWN
            ]
            assert not gained or contradicted, (path, data, gained, report.findings)
    assert told + refused > 0


def test_damaged_tiles_convict_nobody() -> None:
    """An old cosignature is compared by the tiles: where these are bad, that is said, and nothing else."""
    watched = Watched().beats(1, 5)
    reader = asked(watched)
    watched.beats(6, 7)
    watched.loose(watched.at(9), "w3", size=3)
    for path in [p for p in watched.files() if p.startswith("tile/0/")]:
        for data in (None, bytes(32 * 8)):
            again = Asked(watched)
            again.history = reader.history
            source = Files(watched)
            source.files.pop(path)
            if data is not None:
                source.files[path] = data
            with pytest.raises(FormatError):
                again.read(source=source)
            assert "log-fork" not in again.codes


def test_a_leaf_that_was_exchanged_with_its_hash_makes_no_other_log() -> None:
    watched = Watched().beats(1, 5)
    reader = asked(watched)
    watched.beats(6, 7)
    source, twin = Files(watched), Watched().beats(1, 6)
    twin.beat(7, State.DEGRADED)
    source.files |= {p: data for p, data in twin.files().items() if p.startswith("tile/")}
    with pytest.raises(FormatError, match="tiles: do not lead to the root"):
        reader.read(source=source)
    assert "log-fork" not in reader.codes


def test_what_was_found_is_told_at_every_question(tmp_path: Path) -> None:
    watched = Watched().beats(1, 4)
    watched.show_twin()
    root = watched.write(tmp_path / "log")
    question = Question(watched.ms(1), watched.ms(4))
    asker = Asker(str(root), watched.policy(), cache=tmp_path / "cache", check=quick_check)
    for offline in (False, False, True):
        reply = asker.ask(question, now=watched.at(6), offline=offline)
        assert (reply.exit_code, dict(reply.report.counts)) == (1, {"log-fork": 1})


def test_what_was_missing_and_is_served_now_counts_as_if_it_had_always_been_there() -> None:
    watched = eventful()
    whole = watched.files()
    named = [p for p in whole if p.startswith("statement/") and b'"kind":"off"' in whole[p]]
    reader = Asked(watched)
    source = Files(watched)
    del source.files[named[0]]
    reader.read(watched.at(NOW), source)
    assert reader.answers()[13:15] == [SILENT] * 2
    assert "statement-missing" in reader.codes
    for served in (b"something else", whole[named[0]]):
        reader.report = Report("log", "log")
        source = Files(watched)
        source.files[named[0]] = served
        reader.read(watched.at(NOW), source)
        assert ("statement-missing" in reader.codes) == (served != whole[named[0]])
    assert reader.answers()[13:15] == ["declared off"] * 2
    assert reader.history is not None
    assert reader.history.found == []


def test_evidence_that_was_there_and_is_gone_is_told() -> None:
    watched = Watched().beats(1, 4)
    reader = asked(watched)
    source = Files(watched)
    del source.files[evidence.index_path(watched.at(1))]
    reader.read(source=source)
    assert reader.answers()[:4] == [ON] * 4
    assert "evidence-shrunk" in reader.codes
    assert "is not served" in reader.report.findings[0].text


def test_only_so_many_findings_are_remembered() -> None:
    history = asked(Watched().beats(1, 1)).history
    assert history is not None
    for n in range(1000):
        history.note("note-form", str(n), "x")
        history.note("note-form", str(n), "x")
    assert len(history.found) == 200
    assert len({where for _, where, _ in history.found}) == 200


def test_a_directory_that_holds_other_things_than_files(tmp_path: Path) -> None:
    """FIFOs, links to nowhere, to itself and to a device, directories: as if the file were not there."""
    watched = eventful()
    names = ["checkpoint", "cosigned", evidence.SILENCE_INDEX, evidence.index_path(watched.at(1))]
    names += [
        next(p for p in watched.files() if p.startswith(kind)) for kind in ("tile/0", "statement", "note/")
    ]
    for n, name in enumerate(names):
        root = watched.write(tmp_path / str(n))
        path = root / name
        for make in (
            lambda path: os.mkfifo(path),
            lambda path: path.symlink_to("/nonexistent"),
            lambda path: path.symlink_to(path),
            lambda path: path.symlink_to("/dev/zero"),
            lambda path: path.mkdir(),
        ):
            path.unlink(missing_ok=True)
            make(path)
            report = Report("mirror", "log")
            try:
                history = Sync(
                    Directory(root),
                    Policy.parse(watched.policy()),
                    report,
                    watched.at(NOW),
                    check=quick_check,
                ).run()
            except FormatError:
                continue
            answers = history.answers_at(Policy.parse(watched.policy()), watched.at(NOW))
            assert answers[5] in (Answer.SILENT, Answer.UNKNOWN)


def test_an_index_of_garbage_hides_nothing_that_leaves_name() -> None:
    watched = Watched().beats(1, 4)
    for garbage in (b"\xff" * 48, bytes(48), os.urandom(480), b"x" * 47):
        source = Files(watched)
        source.files[evidence.index_path(watched.at(1))] = garbage
        reader = Asked(watched)
        reader.read(source=source)
        # what the next beat names is found by its hash; the newest note is in no leaf yet
        assert reader.answers()[:4] == [ON] * 3 + [UNKNOWN]


def test_a_leaf_that_names_a_note_of_more_leaves_than_are_served() -> None:
    ahead = Watched().beats(1, 5)
    watched = Watched().beats(1, 3)
    path = evidence.hashed_path("note", ahead.newest[0])
    watched.extra[path] = ahead.extra[path]
    watched.beat(4, note_hash=ahead.newest[0], note_size=4)
    reader = asked(watched, watched.at(20))
    assert reader.answers()[:3] == [ON] * 3
    assert reader.answers()[4] == "withheld"


def test_cosignatures_dated_after_the_present_count_for_nothing() -> None:
    """Whether listed, loose, in a certificate or named by a leaf; when their time has come, they are read."""
    watched = Watched().beats(1, 4)
    watched.cosign(watched.at(5) + 3 * evidence.DAY, ("w1", "w2", "w3"))
    watched.leaf(5)
    listed = asked(watched, watched.at(7))
    assert listed.answers()[:5] == [ON] * 4 + [UNKNOWN]
    assert "note-future" in listed.codes
    assert listed.history is not None
    for _ in range(2):
        listed.read(watched.at(7))
        assert listed.answers()[5] == UNKNOWN
    listed.read(watched.at(5) + 4 * evidence.DAY)
    assert listed.answers()[4] != UNKNOWN


def test_a_note_of_the_future_in_the_index_of_today_counts_for_nothing() -> None:
    watched = Watched().beats(1, 4)
    note = watched.cosign(watched.at(5) + 3 * evidence.DAY, listed=False)
    watched.append(evidence.index_path(watched.at(5)), evidence.Entry(5, watched.at(5), note).encode())
    reader = asked(watched, watched.at(7))
    assert reader.codes == {"note-future"}
    assert reader.answers()[5] == UNKNOWN


def test_a_leaf_that_names_a_note_of_another_history_tells_of_the_fork() -> None:
    watched, twin = Watched().beats(1, 3), Watched().beats(1, 1)
    twin.beat(2, State.DEGRADED)
    path = evidence.hashed_path("note", twin.newest[0])
    watched.extra[path] = twin.extra[path]
    watched.beat(4, note_hash=twin.newest[0], note_size=3)
    assert asked(watched, watched.at(6)).codes == {"log-fork"}


def test_an_index_of_what_is_not_there_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosigned_reader, "MOST_BAD", 5)
    watched = Watched().beats(1, 3)
    for n in range(50):
        entry = evidence.Entry(4, 0, sha256(n.to_bytes(4, "big"))).encode()
        watched.append(evidence.index_path(watched.at(3)), entry)
        watched.append(evidence.SILENCE_INDEX, entry)
    reader = Asked(watched)
    source = reader.read()
    assert reader.answers()[:3] == [ON] * 3
    assert sum(path.startswith("note/") and "index" not in path for path in source.fetched) < 20
    assert sum(path.startswith("silence/") for path in source.fetched) == 6
    assert reader.report.counts["note-missing"] == 11
