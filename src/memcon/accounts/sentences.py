"""A text cut into sentences, in the scripts of diplomacy: every character but space is in exactly one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memcon.accounts.lexicon import words

if TYPE_CHECKING:
    from collections.abc import Iterator

# An ending, its closing quotes and brackets, then space or the text's end; CJK needs no space.
_END = re.compile(
    r"[.!?…]+[\"'”’»)\]]*(?=\s|$)"
    r"|[。！？][」』”’)]*"
    r"|\n[ \t]*(?=\n|[-*•·–—]\s|\d{1,2}[.)]\s)|\n{2,}"
)
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]+$")
_DETERMINER = re.compile(r"\s+(?:The|He|She|They|It|In|On|Both|A|An|This|That)\b")
_LOWER_NEXT = re.compile(r"\s*[\"'”’»)\]]*\s*[a-zа-яё]")
_REST = re.compile(r"\s*\Z")
_LONGEST_WORD = 100
"""Characters before a stop that are looked at: no abbreviation or number of a list is longer."""
_INITIAL = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """[start, end) of each sentence, without the space around it. Lists and paragraphs end a sentence too."""
    begin = 0
    for match in _END.finditer(text):
        if match.start() < begin or (text[match.start()] == "." and not _ends(text, match)):
            continue
        yield from _trimmed(text, begin, match.end())
        begin = match.end()
    yield from _trimmed(text, begin, len(text))


def _trimmed(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[begin:end]
    start = begin + len(part) - len(part.lstrip())
    stop = begin + len(part.rstrip())
    if start < stop:
        yield start, stop


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether this stop ends a sentence: not after an abbreviation or initial, or before small letters."""
    if "\n\n" in text[match.end() : match.end() + 3] or _REST.match(text, match.end()):
        return True
    if match[0] != ".":
        return not _LOWER_NEXT.match(text, match.end()) or len(match[0].rstrip("\"'”’»)]")) == 1
    before = _LAST_WORD.search(text, max(0, match.start() - _LONGEST_WORD), match.start())
    word = before[0] if before else ""
    if word.casefold() in words("abbreviations"):
        # ... in the U.S. The next: an abbreviation may end a sentence, where a determiner follows
        return "." in word and _DETERMINER.match(text, match.end()) is not None
    if _INITIAL.fullmatch(word) or (word.isdecimal() and text.endswith("\n", 0, match.start() - len(word))):
        return False  # an initial; the number of a list
    return not _LOWER_NEXT.match(text, match.end())
