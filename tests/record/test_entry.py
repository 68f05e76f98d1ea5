"""Entries of a dossier: read and written, chained, and refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.entry import MAX_BYTES, NO_ENTRY, Entry, check_id, decode, hash_of, read_chain

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = Entry("2017-01-28/1", 1, NO_ENTRY, "claim", "A. Archivist", "2026-11-24T03:42:00Z", {"text": "x"})


@given(
    st.integers(2, 999),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip),
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.integers(0, 9)),
)
def test_what_is_written_is_read(n: int, by: str, body: dict[str, int]) -> None:
    entry = Entry("undated/7", n, "ab" * 32, "event", by, "2026-11-24T03:42:00Z", body)
    assert decode(entry.encode()) == entry


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode(data)


def test_vectors(vectors: Callable[[str], Any]) -> None:
    rows = vectors("dossier")["entries"]
    files = [bytes.fromhex(row["bytes"]) for row in rows]
    entries = read_chain("2017-01-28/1", files)
    assert [entry.encode() for entry in entries] == files
    assert [hash_of(data) for data in files] == [row["hash"] for row in rows]
    assert [entry.note_type for entry in entries] == [9, 9]


def test_a_source_has_its_own_note() -> None:
    assert replace(GOOD, kind="source").note_type == 2


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"n": 0}, "n"),
        ({"previous": "ab"}, "previous"),
        ({"previous": "ab" * 32}, "previous"),
        ({"n": 2}, "previous"),
        ({"kind": "Claim"}, "kind"),
        ({"by": "  "}, "by"),
        ({"by": "x" * 201}, "by"),
        ({"at": "2026-11-24"}, "at"),
        ({"body": {"text": "x" * MAX_BYTES}}, "body"),
        ({"dossier": "2017/0"}, None),
        ({"dossier": "../x/1"}, None),
    ],
)
def test_what_is_no_entry_is_neither_written_nor_read(change: dict[str, Any], where: str | None) -> None:
    bad = replace(GOOD, **change)
    with pytest.raises(FormatError) as refused:
        bad.encode()
    assert refused.value.where == where
    facts = {name: getattr(bad, name) for name in GOOD.__slots__} | {"format": "memcon/dossier/1"}
    with pytest.raises(FormatError):
        decode(canonical.dumps(facts))


def test_another_format_is_refused() -> None:
    data = GOOD.encode().replace(b'dossier/1"', b'dossier/2"', 1)
    with pytest.raises(FormatError, match="format"):
        decode(data)


def test_ids() -> None:
    for good in ("2017-01-28/1", "2017-01/12", "2017/3", "undated/1"):
        assert check_id(good) == good


def test_an_entry_left_out_or_altered_shows() -> None:
    first = GOOD.encode()
    second = replace(GOOD, n=2, previous=hash_of(first)).encode()
    third = replace(GOOD, n=3, previous=hash_of(second)).encode()
    assert len(read_chain(GOOD.dossier, [first, second, third])) == 3
    altered = first.replace(b"Archivist", b"Archivost")
    for files in ([first, third], [second, third], [altered, second], [first, second, second]):
        with pytest.raises(FormatError):
            read_chain(GOOD.dossier, files)
    with pytest.raises(FormatError):
        read_chain("2017-01-28/2", [first])
