"""Citations: the archives' form and Chicago's."""

from __future__ import annotations

from dataclasses import replace

from memcon.release.citing import Cited, archives, chicago, place

WALL = 1_485_622_800_000_000_000
HERE = Cited(
    "2017-01-28/0007", "A. Holt–B. Rahn", WALL, True, "Call Room of Arland", "rec.example/1", "leaves 10–14",
    "ab" * 32, "transcript", (62_000, 90_500), 2, "A. Listener", "2026-11-28T09:00:00Z", "",
    "https://rec.example/calls/7",
)  # fmt: skip


def test_the_archives_form() -> None:
    assert archives(HERE) == (
        "Call 2017-01-28/0007, A. Holt–B. Rahn, 28 January 2017, 17:00:00 UTC, at 1:02–1:30; transcript "
        f"version 2 (A. Listener, 2026-11-28), SHA-256 of the transcript {'ab' * 32}; log rec.example/1, "
        "leaves 10–14; Call Room of Arland. https://rec.example/calls/7#t=62"
    )


def test_chicago() -> None:
    assert chicago(HERE) == (
        "A. Holt–B. Rahn, recorded telephone call, January 28, 2017, 1:02–1:30, call 2017-01-28/0007, "
        f"transcript version 2 by A. Listener, SHA-256 of the transcript {'ab' * 32}, Call Room of Arland, "
        "log rec.example/1, leaves 10–14, https://rec.example/calls/7#t=62."
    )


def test_what_is_not_known_is_left_out() -> None:
    bare = replace(HERE, span=None, version=0, office="", leaves="", address="", exact=False,
                   taken_in="2026-11-28", digest_of="statement of intake", display="T061")  # fmt: skip
    assert archives(bare) == (
        "Call T061, A. Holt–B. Rahn, 28 January 2017; taken in from a file on 2026-11-28; SHA-256 of the "
        f"statement of intake {'ab' * 32}; log rec.example/1."
    )
    assert chicago(bare) == (
        "A. Holt–B. Rahn, sound recording taken in 2026-11-28, January 28, 2017, call T061, SHA-256 of the "
        f"statement of intake {'ab' * 32}, log rec.example/1."
    )
    assert chicago(replace(HERE, span=None)).endswith("https://rec.example/calls/7.")


def test_places() -> None:
    assert (place(62_999), place(3_723_000)) == ("1:02", "1:02:03")
