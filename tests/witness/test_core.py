"""add-checkpoint: every status of C2SP tlog-witness, and that no two histories are ever cosigned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tlog.conftest import TestKey
from tests.witness.kit import COSIGNER, KEY, KEY_PQ, ORIGIN, Served, hashes, note, request

from memcon.clock import NS, ManualClock
from memcon.errors import FormatError, UsageError
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature
from memcon.tlog.cosignature import verifier as slow
from memcon.tlog.merkle import EMPTY_ROOT, consistency_proof, root
from memcon.tlog.note import Note, Signature, verify
from memcon.tlog.witness import AddCheckpoint, read_answer
from memcon.witness.core import Witness
from memcon.witness.keys import Cosigner, QuickVerifier

if TYPE_CHECKING:
    from memcon.witness.core import Answer


def fresh(**kwargs: object) -> Witness:
    cosigner = kwargs.pop("cosigner", COSIGNER)
    assert isinstance(cosigner, Cosigner)
    return Witness(cosigner, [KEY.key, KEY_PQ.key], ManualClock())


def at(size: int) -> Witness:
    witness = fresh()
    assert witness.decide(request(0, size)).status == 200
    return witness


def check(body: Answer, of: Note) -> list[int]:
    """The answer's cosignatures hold, by the slow verifier too; their times."""
    assert body.status == 200
    lines = read_answer(body.body)
    keys = [slow(key) for key in COSIGNER.vkeys]
    assert [v for _, v in verify(Note(of.text, lines), keys)] == keys
    return [Cosignature.parse(line.blob).timestamp for line in lines]


def test_cosigns_with_both_keys_and_the_time() -> None:
    times = check(fresh().decide(request(0, 5)), note(5))
    assert times == [1_800_000_000] * 2


def test_grows_and_refreshes() -> None:
    witness = fresh()
    clock = witness._clock
    assert isinstance(clock, ManualClock)
    for old, size in ((0, 1), (1, 2), (2, 300), (300, 300)):
        clock.advance(NS)
        check(witness.decide(request(old, size)), note(size))
    assert witness.latest[ORIGIN].checkpoint.size == 300
    clock.advance(7 * NS)
    assert check(witness.decide(request(300, 300)), note(300)) == [1_800_000_011] * 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old 5\n\n", 400),
        (request(5, 8).replace(b"old 5", b"old 05"), 400),
        (request(5, 8).replace(b"\n8\n", b"\n08\n"), 400),
        (request(9, 8), 400),
        (AddCheckpoint(5, (), Note(b"x\n", (KEY.sign(b"x\n"),))).to_bytes(), 400),
        (request(5, 8, origin="other.example", keys=(TestKey("other.example", number=3),)), 404),
        (request(5, 8, keys=(TestKey("stranger.example", number=3),)), 403),
        (request(5, 8, keys=(TestKey(ORIGIN, number=3),)), 403),
        (request(4, 8), 409),
        (request(0, 8), 409),
        (request(6, 8), 409),
        (request(5, 8, "b"), 422),
        (request(5, 8, proof=()), 422),
        (request(5, 8, proof=tuple(consistency_proof(5, hashes(8))[:-1])), 422),
        (request(5, 8, proof=(bytes(32),) * 63), 422),
        (request(5, 5, "b"), 422),
        (request(5, 5, proof=(bytes(32),)), 422),
    ],
)
def test_every_refusal(body: bytes, status: int) -> None:
    witness = at(5)
    before = witness.latest[ORIGIN]
    answer = witness.decide(body)
    assert answer.status == status
    assert answer.record is None
    assert witness.latest[ORIGIN] is before
    if status == 409:
        assert (answer.body, answer.kind) == (b"5\n", "text/x.tlog.size")


@pytest.mark.parametrize(
    ("old", "proof", "tree", "status"),
    [
        (0, (), EMPTY_ROOT, 200),
        (0, (), bytes(32), 422),
        (0, (bytes(32),), EMPTY_ROOT, 422),
        (1, (), EMPTY_ROOT, 400),
    ],
)
def test_an_empty_log(old: int, proof: tuple[bytes, ...], tree: bytes, status: int) -> None:
    text = Checkpoint(ORIGIN, 0, tree).to_bytes()
    body = AddCheckpoint(old, proof, Note(text, (KEY.sign(text),))).to_bytes()
    witness = fresh()
    assert witness.decide(body).status == status
    assert witness.decide(request(0, 3)).status == 200


def test_a_proof_from_nothing_is_empty() -> None:
    assert fresh().decide(request(0, 3, proof=(bytes(32),))).status == 422


def test_a_known_key_that_fails_spoils_the_note() -> None:
    good = note(3, keys=(KEY, KEY_PQ))
    bad = Note(good.text, (good.signatures[0], Signature(ORIGIN, KEY_PQ.key.key_id, bytes(2428))))
    assert fresh().decide(AddCheckpoint(0, (), good).to_bytes()).status == 200
    assert fresh().decide(AddCheckpoint(0, (), bad).to_bytes()).status == 403


def test_strangers_signatures_are_not_kept() -> None:
    stranger = TestKey("stranger.example", number=3)
    witness = fresh()
    answer = witness.decide(AddCheckpoint(0, (), note(3, keys=(stranger, KEY))).to_bytes())
    assert answer.record is not None
    assert {s.name for s in answer.record.signatures} == {ORIGIN, "w.example"}


def test_the_same_words_in_the_same_second_are_written_once() -> None:
    witness = at(5)
    first = witness.latest[ORIGIN]
    again = witness.decide(request(5, 5))
    assert again.record is None
    assert read_answer(again.body) == first.own


def test_time_never_goes_back() -> None:
    witness = at(5)
    clock = witness._clock
    assert isinstance(clock, ManualClock)
    clock.step_wall(-2 * NS)
    assert check(witness.decide(request(5, 6)), note(6)) == [1_800_000_000] * 2
    clock.step_wall(-NS)
    assert witness.decide(request(6, 7)).status == 503
    clock.step_wall(4 * NS)
    assert check(witness.decide(request(6, 7)), note(7)) == [1_800_000_001] * 2


def test_another_history_is_handed_on_as_evidence() -> None:
    told: list[tuple[Note, Note]] = []
    witness = Witness(COSIGNER, [KEY.key], ManualClock(), conflict=lambda a, b: told.append((a, b)))
    witness.decide(request(0, 5))
    assert witness.decide(request(5, 5, "b")).status == 422
    ((first, second),) = told
    assert (first.text, second.text) == (note(5).text, note(5, "b").text)
    assert witness.decide(request(5, 8, "b")).refused is not None
    assert len(told) == 1


def test_extension_lines_are_cosigned_by_ed25519_alone() -> None:
    text = note(3).text + b"extension\n"
    body = AddCheckpoint(0, (), Note(text, (KEY.sign(text),))).to_bytes()
    answer = fresh().decide(body)
    assert [s.key_id for s in read_answer(answer.body)] == [COSIGNER.vkeys[0].key_id]
    assert fresh(cosigner=Cosigner("w.example", mldsa44=bytes(32))).decide(body).status == 400


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from(["", "b"]), st.booleans()),
        max_size=12,
    )
)
def test_a_hostile_log_never_gets_two_histories(steps: list[tuple[int, int, str, bool]]) -> None:
    witness = fresh()
    cosigned: dict[int, bytes] = {}
    for old, size, branch, honest in steps:
        seen = witness.latest.get(ORIGIN)
        if honest:
            old = seen.checkpoint.size if seen else 0
        before = seen.checkpoint.size if seen else 0
        if witness.decide(request(old, size, branch)).status == 200:
            assert size >= before
            assert old == before
            # every tree cosigned before is a part of this one
            for earlier, had in cosigned.items():
                assert root(hashes(earlier, branch)) == had or earlier == 0
            cosigned[size] = root(hashes(size, branch))


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, 700), st.integers(0, 60))
def test_a_spliced_request_changes_nothing_it_should_not(data: bytes, start: int, cut: int) -> None:
    good = request(5, 8)
    witness = at(5)
    answer = witness.decide(good[:start] + data + good[start + cut :])
    assert answer.status in (200, 400, 403, 404, 409, 422)
    if answer.status == 200:
        assert witness.latest[ORIGIN].checkpoint.root in (root(hashes(8)), root(hashes(5)))


class TestKeys:
    def test_a_witness_has_a_key_and_a_name(self) -> None:
        with pytest.raises(UsageError):
            Cosigner("w.example")
        with pytest.raises(FormatError):
            Cosigner("w example", bytes(32))

    @pytest.mark.parametrize("key", [KEY, KEY_PQ, TestKey("w", 4, 5), TestKey("w", 6, 5)])
    def test_quick_and_slow_verifiers_agree(self, key: TestKey) -> None:
        text = note(3).text
        blob = key.sign(text, 7).blob if key.kind != 1 else key.sign(text).blob
        for other in (blob, blob[:-1], blob[:-1] + bytes([blob[-1] ^ 1]), b"", bytes(len(blob))):
            for said in (text, note(4).text, b"x\n"):
                expected = slow(key.key).verify(said, other)
                assert QuickVerifier(key.key).verify(said, other) == expected
        assert QuickVerifier(key.key).verify(text, blob)

    def test_weak_keys_are_refused(self) -> None:
        weak = replace(KEY.key, public_key=bytes(32))
        with pytest.raises(FormatError):
            QuickVerifier(weak)


def test_served_is_the_same(served: Served) -> None:
    assert served.post(request(0, 5)).status == 200
    assert served.post(request(4, 8)).body == b"5\n"
