"""Statements of calls taken in: read and written, and refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.entry import NO_ENTRY
from memcon.record.intake import MAX_BYTES, Intake, TakenFile, decode, hash_of

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGINAL = TakenFile("original", "ab" * 32, 12, "audio/wav")
GOOD = Intake(1, NO_ENTRY, "A. Archivist", "2026-11-24T03:42:00Z", "call.wav", (ORIGINAL,), {"start": ""}, {})
MORE = TakenFile(f"media/{'cd' * 32}", "cd" * 32, 0, "audio/ogg")


@given(
    st.integers(2, 999),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.integers(0, 9)),
)
def test_what_is_written_is_read(n: int, name: str, found: dict[str, int]) -> None:
    intake = replace(GOOD, n=n, previous="ef" * 32, name=name, files=(ORIGINAL, MORE), found=found)
    assert decode(intake.encode()) == intake


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode(data)


def test_vectors(vectors: Callable[[str], Any]) -> None:
    rows = vectors("intake")["statements"]
    previous = NO_ENTRY
    for n, row in enumerate(rows, 1):
        data = bytes.fromhex(row["bytes"])
        read = decode(data)
        assert (read.n, read.previous, read.encode()) == (n, previous, data)
        previous = hash_of(data)
        assert previous == row["hash"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"n": 0}, "n"),
        ({"n": 2}, "previous"),
        ({"previous": "ab"}, "previous"),
        ({"previous": "ab" * 32}, "previous"),
        ({"by": "  "}, "by"),
        ({"by": "x" * 201}, "by"),
        ({"at": "2026-11-24"}, "at"),
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"files": ()}, "files"),
        ({"files": (MORE,)}, "files"),
        ({"files": (ORIGINAL, ORIGINAL)}, "files"),
        ({"files": (ORIGINAL, replace(MORE, path="../x"))}, "files"),
        ({"files": (ORIGINAL, replace(MORE, sha256="xy"))}, "files"),
        ({"files": (ORIGINAL, replace(MORE, sha256="ab" * 32))}, "files"),
        ({"files": (replace(ORIGINAL, size=-1),)}, "files"),
        ({"files": (replace(ORIGINAL, size=1 << 53),)}, "an integer"),
        ({"found": {"x": "y" * MAX_BYTES}}, "found"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(change: dict[str, Any], where: str) -> None:
    with pytest.raises(FormatError) as caught:
        replace(GOOD, **change).encode()
    assert where in str(caught.value)


def facts() -> dict[str, Any]:
    read: dict[str, Any] = canonical.loads(GOOD.encode())
    return read


@pytest.mark.parametrize(
    "change",
    [
        {"format": "memcon/intake/2"},
        {"files": ["original"]},
        {"files": [{"path": "original"}]},
        {"files": [{"path": "original", "sha256": "ab" * 32, "bytes": True, "media_type": ""}]},
        {"files": [{"path": "original", "sha256": "ab" * 32, "bytes": 1 << 52, "media_type": 7}]},
    ],
)
def test_what_is_no_statement_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        decode(canonical.dumps(facts() | change))


def test_one_that_is_too_long_is_not_read() -> None:
    with pytest.raises(FormatError, match="longer"):
        decode(b" " * (MAX_BYTES + 1))
