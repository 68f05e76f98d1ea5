"""Silence certificates (FORMATS §16): the vector, its form, what its parts must agree on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record import beat, silence
from memcon.record.hashing import sha256
from memcon.record.silence import Certificate, ProvenLeaf, contents
from memcon.record.statement import Genesis, Off
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import inclusion_proof, leaf_hash, root
from memcon.tlog.note import Note, Signature

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGIN = "log.example/1"
PERIOD = 10_000
SLOT = 180_000_000
SIGNATURE = Signature(ORIGIN, b"\1\2\3\4", b"signature")


def leaf(index: int, slot: int, *, period: int = PERIOD, statement: bytes = bytes(32)) -> bytes:
    kind, state = (beat.Kind.BEAT, beat.State.RECORDING) if index else (beat.Kind.GENESIS, beat.State.OFF)
    return beat.Beat(
        kind, state, period, index, slot, bytes(16), bytes(32), bytes(32), statement=statement
    ).encode()


def certificate(
    size: int = 5, *, period: int = PERIOD, said: bytes | None = None, named: bytes | None = None
) -> Certificate:
    """A certificate of a log of `size` leaves, one a slot; signatures that nobody has made."""
    if said is None:
        said = Genesis(ORIGIN, PERIOD, 3, 2, "2027-01-15T08:00:00Z", ("key",)).encode()
    entries = [leaf(0, SLOT, statement=sha256(said) if named is None else named)]
    entries += [leaf(n, SLOT + n, period=period) for n in range(1, size)]
    hashes = [leaf_hash(entry) for entry in entries]
    first, last = (ProvenLeaf(n, entries[n], tuple(inclusion_proof(n, hashes))) for n in (0, size - 1))
    text = Checkpoint(ORIGIN, size, root(hashes)).to_bytes()
    return Certificate(said, first, last, Note(text, (SIGNATURE,)))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 256, 300])
def test_a_certificate_is_read_as_written(size: int) -> None:
    made = certificate(size)
    assert Certificate.parse(made.encode()) == made
    parts = contents(made)
    assert (parts.checkpoint.size, parts.last.slot, parts.genesis.g) == (size, SLOT + size - 1, 2)


def test_the_vector(vectors: Callable[[str], Any]) -> None:
    row = vectors("silence")
    data = row["certificate"].encode()
    made = Certificate.parse(data)
    assert made.encode() == data
    parts = contents(made)
    assert parts.checkpoint.size == row["size"]
    for time, covered in row["covered"]:
        assert parts.covered(time) == (tuple(covered) if covered else None)


def test_slots_are_covered_from_their_grace_on() -> None:
    parts = contents(certificate(5))
    last = SLOT + 4
    end = (last + 2) * 10 + 20  # of the first slot without a leaf, in seconds, with its grace
    assert parts.covered(end) is None
    assert parts.covered(end + 1) == (last + 1, last + 1)
    assert parts.covered(end + 10) == (last + 1, last + 1)
    assert parts.covered(end + 11) == (last + 1, last + 2)
    assert parts.covered(0) is None


@given(st.integers(0, 4_000_000_000))
def test_covered_is_the_rule_written_out(time: int) -> None:
    parts = contents(certificate(2))
    covered = parts.covered(time)
    through = covered[1] if covered else parts.last.slot
    assert not covered or ((through + 1) * 10 + 20 < time and covered[0] == parts.last.slot + 1)
    assert (through + 2) * 10 + 20 >= time


def broken(change: Callable[[list[str]], None]) -> bytes:
    lines = certificate().encode().decode().split("\n")
    change(lines)
    return "\n".join(lines).encode()


def put(at: int, text: str) -> Callable[[list[str]], None]:
    return lambda lines: lines.__setitem__(at, text)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not two leaves"),
        (b"x" * (silence.MAX_SIZE + 1), "longer than"),
        (broken(put(0, "memcon/silence/v2")), "does not begin with"),
        (broken(put(1, "said x")), "no genesis statement"),
        (broken(put(1, "statement !")), "line 2: not base64"),
        (broken(put(2, "leaf 0")), "line 3: no leaf"),
        (broken(put(2, "loaf 0 AAAA")), "line 3: no leaf"),
        (broken(put(2, "leaf 00 AAAA")), "line 3: not a decimal"),
        (broken(put(2, "leaf 0 AAA")), "line 3: not base64"),
        (broken(put(3, "AAAA")), "line 4: a hash has 32 bytes"),
        (broken(lambda lines: lines.insert(3, "\n".join([lines[3]] * 64))), "hashes in an audit path"),
        (b"memcon/silence/v1\n\nleaf\n\n", "no genesis statement"),
        (b"\xff\n\n\n\n", "not UTF-8"),
    ],
)
def test_what_is_no_certificate(data: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        Certificate.parse(data)


def test_lines_of_the_last_leaf_are_numbered_through() -> None:
    lines = certificate().encode().decode().split("\n")
    at = lines.index("") + 2
    lines[at] = "AAAA"
    with pytest.raises(FormatError, match=f"line {at + 1}: a hash"):
        Certificate.parse("\n".join(lines).encode())


OTHER = Genesis("other.example", PERIOD, 3, 2, "2027-01-15T08:00:00Z", ("key",)).encode()
OFF = Off(ORIGIN, 5, "a", "b", "c", ()).encode()


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (replace(certificate(), first=certificate().last), "first leaf: is leaf 4, not 0"),
        (replace(certificate(), last=certificate().first), "last leaf: is leaf 0, not 4"),
        (replace(certificate(), first=certificate(4).first), "audit path|proof|root"),
        (certificate(named=bytes([1]) * 32), "not the one that leaf 0 names"),
        (certificate(said=OTHER), "no genesis statement of 'log.example/1'"),
        (certificate(said=OFF), "no genesis statement of 'log.example/1'"),
        (certificate(period=9000), "another period"),
        (certificate(said=b"{}"), "kind"),
    ],
)
def test_parts_that_do_not_belong_together(made: Certificate, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        contents(made)


@given(st.data())
def test_any_changed_byte_shows_or_stands_in_a_signature(data: st.DataObject) -> None:
    good = certificate(3).encode()
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    try:
        made = Certificate.parse(bad)
        contents(made)
    except FormatError:
        return
    # Only the signature lines can differ: keys judge those.
    assert made.note.text == certificate(3).note.text
    assert made.note.signatures != certificate(3).note.signatures
