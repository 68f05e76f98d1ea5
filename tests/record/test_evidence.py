"""Index entries, cosignature files and conflicts of FORMATS §15 and §17."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record import evidence
from memcon.record.evidence import Conflict, Entry
from memcon.record.hashing import sha256
from memcon.tlog.note import Note, Signature

if TYPE_CHECKING:
    from collections.abc import Callable

HEX = "ab" * 32
NOTE = Note(b"log.example/1\n3\nAAAA\n", (Signature("log.example/1", b"\1\2\3\4", b"signature"),))


@given(
    st.lists(
        st.builds(
            Entry, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32)
        )
    ),
    st.binary(max_size=47),
)
def test_entries_are_read_as_written_and_a_torn_last_one_is_ignored(
    entries: list[Entry], torn: bytes
) -> None:
    data = b"".join(entry.encode() for entry in entries)
    assert len(data) == 48 * len(entries)
    assert list(evidence.read_entries(data + torn)) == entries
    assert list(evidence.read_entries(data, 48)) == entries[1:]


@pytest.mark.parametrize("at", [0, 8])
def test_an_entry_beyond_all_logs_is_refused(at: int) -> None:
    data = bytearray(Entry(1, 2, bytes(32)).encode())
    data[at] = 0x80
    with pytest.raises(FormatError, match="index at byte 0: an entry of size"):
        list(evidence.read_entries(bytes(data)))


def test_the_vector(vectors: Callable[[str], Any]) -> None:
    row = vectors("silence")
    data = bytes.fromhex(row["index_entry"])
    (entry,) = evidence.read_entries(data)
    assert entry.encode() == data
    assert entry == Entry(row["size"], row["covered"][1][0], sha256(row["certificate"].encode()))


def test_paths() -> None:
    assert evidence.index_path(1_800_000_000) == "note/index-2027-01-15"
    assert evidence.cosignature_path(0) == "cosignature/1970-01-01"
    assert evidence.day_of(2**63 - 1) == "9999-12-31"
    assert evidence.hashed_path("note", bytes.fromhex(HEX)) == f"note/{HEX}"


@pytest.mark.parametrize(
    ("path", "promised", "known"),
    [
        (f"note/{HEX}", True, True),
        (f"silence/{HEX}", True, True),
        (f"conflict/{HEX}", True, True),
        (f"statement/{HEX}", True, False),
        (f"note/{HEX.upper()}", False, False),
        (f"note/{HEX}/", False, False),
        ("note/index-2027-01-15", False, True),
        ("cosignature/2027-01-15", False, True),
        ("cosigned", False, True),
        ("policy", False, True),
        ("silence/index", False, True),
        ("checkpoint", False, False),
        ("tile/0/000", False, False),
    ],
)
def test_what_a_path_promises(path: str, promised: bool, known: bool) -> None:
    assert evidence.hash_in(path) == (bytes.fromhex(HEX) if promised else None)
    assert evidence.is_evidence(path) == known


def test_cosignature_files() -> None:
    record = evidence.encode_cosignatures(NOTE)
    assert list(evidence.read_cosignatures(record + record)) == [(NOTE, len(record)), (NOTE, 2 * len(record))]
    assert list(evidence.read_cosignatures(record + record, len(record))) == [(NOTE, 2 * len(record))]
    for torn in (record[:1], record[:3], record[:-1]):
        assert list(evidence.read_cosignatures(record + torn)) == [(NOTE, len(record))]
    with pytest.raises(FormatError, match="cosignature file at byte 0: a note of"):
        list(evidence.read_cosignatures(b"\xff" * 8))
    with pytest.raises(FormatError):
        list(evidence.read_cosignatures(b"\0\0\0\1x"))


@given(st.binary(max_size=200))
def test_cosignature_files_from_anybody(data: bytes) -> None:
    try:
        for note, end in evidence.read_cosignatures(data):
            assert evidence.encode_cosignatures(note) == data[end - len(note.to_bytes()) - 4 : end]
    except FormatError:
        pass


def test_a_conflict_is_read_as_written() -> None:
    conflict = Conflict("fork", NOTE, NOTE.add(Signature("w", b"abcd", b"x")))
    data = conflict.encode()
    assert evidence.read_conflict(data) == conflict


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d[:-1],
        lambda d: d + b"\n",
        lambda d: d.replace(b"/v1", b"/v2"),
        lambda d: d.replace(b"fork", b"sword"),
        lambda d: d.replace(b"\nfork\n", b"\nfork\n\n"),
        lambda d: d[:40] + b"!" + d[41:],
        lambda d: d + b" " * evidence.MAX_CONFLICT,
        lambda d: b"",
        lambda d: b"\xff" + d,
    ],
)
def test_what_is_no_conflict(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(FormatError):
        evidence.read_conflict(change(Conflict("fork", NOTE, NOTE).encode()))
