"""Laws of every reader: one byte string for one content, FormatError for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memcon.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

Roundtrips: TypeAlias = "dict[str, Callable[[bytes], bytes]]"
Samples: TypeAlias = "dict[str, list[bytes]]"

# What follows the last field is content there: any tail is another event or ciphertext.
OPEN_ENDED = {"event", "record.mcr"}
# Files that grow item by item: a cut between two items is a shorter file.
FILES = {"sealed.mcn", "leaves.mcl", "slots", "media.mcs", "events.mce", "records"} | {
    f"{name}.mcb" for name in ("media", "events", "streams", "openings", "config", "beats")
}
NAMES = (
    *("beat", "slot-leaf", "note-leaf", "call-leaf", "leaves.mcl", "slots", "block", "content", "media.mcs"),
    *(
        "events.mce",
        "event",
        "record.mcr",
        "journal-header",
        "frame-head",
        "records",
        "canonical",
        "statement",
    ),
    *(
        "media.mcb",
        "events.mcb",
        "streams.mcb",
        "openings.mcb",
        "config.mcb",
        "beats.mcb",
        "bundle",
        "manifest",
        "silence",
        "transcript",
        "dossier-bundle",
        "dossier-manifest",
        "sealed.mcn",
    ),
)


def holds(again: Callable[[bytes], bytes], data: bytes) -> bool:
    """Whether `data` is read; if so it must be written again byte for byte."""
    try:
        written = again(data)
    except FormatError:
        return False
    assert written == data
    return True


def test_every_format_is_here(roundtrips: Roundtrips, samples: Samples) -> None:
    assert set(NAMES) == set(roundtrips) == set(samples)


@pytest.mark.parametrize("name", NAMES)
def test_reads_its_vectors(name: str, roundtrips: Roundtrips, samples: Samples) -> None:
    for data in samples[name]:
        assert holds(roundtrips[name], data)


@pytest.mark.parametrize("name", NAMES)
def test_any_flipped_byte_is_refused_or_another_content(
    name: str, roundtrips: Roundtrips, samples: Samples
) -> None:
    for data in samples[name]:
        for at, byte in enumerate(data):
            for mask in (0x01, 0x80, 0xFF):
                holds(roundtrips[name], data[:at] + bytes([byte ^ mask]) + data[at + 1 :])


@pytest.mark.parametrize("name", NAMES)
def test_cut_anywhere(name: str, roundtrips: Roundtrips, samples: Samples) -> None:
    again = roundtrips[name]
    for data in samples[name]:
        read = [end for end in range(len(data)) if holds(again, data[:end])]
        if name in OPEN_ENDED:
            assert read == list(range(read[0], len(data))) if read else True
        elif name in FILES:
            assert len(read) < 5  # only between two items
        elif name == "canonical":
            assert not read or data[:1] in b"-0123456789"
        else:
            assert not read


@pytest.mark.parametrize("name", NAMES)
def test_garbage_before_and_after(name: str, roundtrips: Roundtrips, samples: Samples) -> None:
    for data in samples[name]:
        for garbage in (b"\0", b"\n", b"garbage"):
            assert not holds(roundtrips[name], garbage + data)
            assert holds(roundtrips[name], data + garbage) == (name in OPEN_ENDED)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_spliced_bytes(name: str, draw: st.DataObject, roundtrips: Roundtrips, samples: Samples) -> None:
    data = draw.draw(st.sampled_from(samples[name]))
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, min(len(data), start + 40)))
    new = draw.draw(st.binary(max_size=40) | st.just(b"\xff" * (end - start)))
    holds(roundtrips[name], data[:start] + new + data[end:])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_any_bytes(name: str, data: bytes, roundtrips: Roundtrips) -> None:
    holds(roundtrips[name], data)


@pytest.mark.parametrize("name", [*sorted(n for n in NAMES if n.endswith(".mcb")), "manifest", "bundle"])
def test_reads_views(name: str, roundtrips: Roundtrips, samples: Samples) -> None:
    """A bundle's entries are views into it: their readers take them without a copy."""
    for data in samples[name]:
        view: Any = memoryview(data)
        assert roundtrips[name](view) == data
