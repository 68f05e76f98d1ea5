"""The words of a transcript as HTML: text first, times as data, nothing that needs a script or a colour.

Made by joining strings, since there may be 20,000 words: whatever somebody said or wrote goes through
`escape`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from memcon.console.transcript_layout import UNSURE, Piece, runs
from memcon.console.words import NBSP, at
from memcon.record.transcript import UNKNOWN, Stretch, joiner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.console.transcript_layout import Block, Gap, Turn
    from memcon.record.transcript import Word

MOST_COLUMNS = 3
"""More lanes than this stand one under the other on a wide page too."""
_WHY = {
    "lost": "{} lost",
    "hold": "hold {}, no audio was sent",
    "tone": "tone {}",
    "noise": "noise {}",
    "music": "music {}",
}


def seconds(ms: int) -> str:
    """Milliseconds as seconds without more digits than they need: `137`, `137.25`."""
    whole, rest = divmod(ms, 1000)
    return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)


def gap_words(stretch: Stretch) -> str:
    """`3 s lost`, `hold 31 s, no audio was sent`."""
    ms = stretch.end - stretch.start
    length = f"{round(ms / 1000)}{NBSP}s" if ms >= 2000 else f"{max(ms, 100) / 1000:.1f}{NBSP}s"
    return _WHY[stretch.what].format(length)


def block_html(block: Block) -> Markup:
    """All turns of a minute."""
    return Markup("\n".join(map(_turn, block.turns)))  # noqa: S704 - every text in it went through escape


def _turn(turn: Turn) -> str:
    """One row: utterances side by side, or a gap."""
    if turn.gap is not None:
        return _gap_row(turn.gap)
    row = "".join(_utterance(piece, first=not i) for i, piece in enumerate(turn.pieces))
    return f'<div class="turn">{row}</div>'


def _gap_row(gap: Gap) -> str:
    which = f" on lane {' and '.join(gap.lanes)}" if gap.lanes else ""
    words = escape(f"{gap_words(gap.stretch)}{which}")
    return (
        f'<div class="turn"><div class="utt gap">{_time(gap.stretch.start)}<span class="who"></span>'
        f'<div><p><span class="gapword" role="note">{words}</span></p></div></div></div>'
    )


def _time(ms: int, *, named: bool = False) -> str:
    start = seconds(ms)
    name = f' id="t={start}"' if named else ""
    return f'<a class="seek"{name} href="#t={start}" data-second="{start}">{at(ms // 1000)}</a>'


def _utterance(piece: Piece, *, first: bool) -> str:
    """One utterance: its time as a link, who spoke, the words. `first`: of its row, which it names."""
    said = piece.said
    who = escape(piece.speaker or "Unknown speaker")
    other = " other" if said.speaker and said.speaker != piece.lane.speaker else ""
    language = "" if piece.language == UNKNOWN else f' lang="{escape(piece.language)}"'
    return (
        f'<div class="utt lane{piece.place}{other}" data-lane="{piece.lane.name}" data-n="{piece.n}">'
        f'{_time(said.start, named=first)}<span class="who">{who}</span>'
        f"<div><p{language}>{_words(piece)}</p>{_translations(piece)}</div></div>"
    )


def _words(piece: Piece) -> str:
    gap = joiner(piece.language)
    parts: list[str] = [
        f'<span class="gapword" role="note">{escape(gap_words(run))}</span>'
        if isinstance(run, Stretch)
        else _run(*run, gap)
        for run in runs(piece)
    ]
    return gap.join(parts)


def _run(marks: tuple[str, ...], words: Sequence[Word], gap: str) -> str:
    text = gap.join(map(_word, words))
    if not marks:
        return text
    named = ", ".join(marks)
    if not words[0].text:
        return f'<span class="marked w" {_span(words[0])}>[{named}]</span>'
    return f'<span class="marked">[{named}:</span> {text}<span class="marked">]</span>'


def _word(word: Word) -> str:
    sure = word.confidence
    times = _span(word)
    if sure is None:
        return f'<span class="w hand" {times}>{escape(word.text)}</span>'
    if sure >= UNSURE:
        return f'<span class="w" {times}>{escape(word.text)}</span>'
    return (
        f'<span class="w unsure" {times} title="confidence {sure / 1000:.2f}">{escape(word.text)}</span>'
        '<span class="vh"> (unsure)</span>'
    )


def _span(word: Word) -> str:
    return f'data-t="{seconds(word.start)}" data-e="{seconds(word.end)}"'


def _translations(piece: Piece) -> str:
    return "".join(
        f'<p class="translation" lang="{escape(one.language)}"><span class="note" lang="en">'
        f"{escape(one.language)}, translated by {escape(one.by)}:</span> {escape(one.text)}</p>"
        for one in piece.said.translations
    )
