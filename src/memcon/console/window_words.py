"""The windows of a call's beats in words: between which times witnesses say that it was sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.clock import NS, utc
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.verify.window import Window


def sealed_between(sealed: Sequence[Window]) -> list[str]:
    """Between which times the call's seconds were sealed, and how many beats have no such window."""
    dated = [one for one in sealed if one.not_before is not None and one.not_after is not None]
    if not dated:
        return ["when it was sealed is by the operator's clock only: no quorum of witnesses has dated it"]
    widest = max((one.not_after or 0) - (one.not_before or 0) for one in dated)
    since, until = utc((dated[0].not_before or 0) * NS), utc((dated[-1].not_after or 0) * NS)
    lines = [f"sealed between {since} and {until}, each beat within {widest} s, by the log's own witnesses"]
    if len(dated) < len(sealed):
        lines.append(f"{len(sealed) - len(dated)} of {len(sealed)} beats have no window yet")
    rounds = [one.drand for one in sealed if one.drand is not None]
    if rounds:
        first = utc(min(rounds) * NS)
        lines.append(
            f"{count(len(rounds), 'beat')} not before their drand round either, the first of {first}"
        )
    stamps = [one.stamped for one in sealed if one.stamped is not None]
    if stamps:
        lines.append(f"not after {utc(max(stamps) * NS)} by a time-stamping authority too")
    return lines
