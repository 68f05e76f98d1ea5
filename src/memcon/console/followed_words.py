"""Kept studies as a page shows them: tables in order of length, the picture drawn anew from its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup

from memcon.aftermath.answer import p_words
from memcon.aftermath.keeping import kept_picture
from memcon.aftermath.picture import drawn
from memcon.errors import FormatError

if TYPE_CHECKING:
    from memcon.accounts.model import Dossier
    from memcon.aftermath.desk import Line
    from memcon.aftermath.followed import KeptStudy


@dataclass(frozen=True)
class ShownStudy:
    """A kept study as a page shows it. `whole` is False where its numbers cannot be read: the page says so.

    `svg` is None where no picture was kept; `events` and `calls` say what was counted.
    """

    study: KeptStudy
    whole: bool = False
    svg: Markup | None = None
    classes: tuple[dict[str, str], ...] = ()
    sequels: tuple[dict[str, int], ...] = ()
    events: str = ""
    calls: str = ""
    chosen: str = ""


def shown_study(study: KeptStudy) -> ShownStudy:
    """Its picture drawn anew from its numbers, its tables in order of length."""
    try:
        return _read(study)
    except (FormatError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return ShownStudy(study)  # somebody wrote it by hand: its words stand, its numbers do not


def _read(study: KeptStudy) -> ShownStudy:
    svg = None if study.picture is None else Markup(drawn(kept_picture(study.picture)))  # noqa: S704 # drawn here
    facts = cast("dict[str, Any]", study.facts)
    without = {_key(o): o for o in facts["class_without_the_call"] or []}
    classes = [
        {
            "window": str(int(o["window"]) + 1),
            "statistic": str(o["statistic"]),
            "rate": f"{float(o['rate']):,.2f}",
            "chance": f"{float(o['chance']):,.2f}",
            "p": _p(o["p"]),
            "family": _p(o["p_family"]),
            "without": _p(without[_key(o)]["p"]) if _key(o) in without else "",
        }
        for o in facts["class"]
    ]
    order = sorted(classes, key=lambda o: (o["statistic"] != "total", o["statistic"], int(o["window"])))
    sequels = [{name: int(s[name]) for name in ("window", "value", "as_many", "of")} for s in facts["sequel"]]
    series = facts["series"]
    return ShownStudy(
        study,
        True,
        svg,
        tuple(order),
        tuple(sorted(sequels, key=lambda s: s["window"])),
        str(series["events"]["what"]),
        f"{int(series['calls']['n']):,} {series['calls']['what']}",
        str(facts["hypothesis"]["written_down"]),
    )


def _key(outcome: dict[str, Any]) -> tuple[Any, ...]:
    return outcome["window"], outcome["lag"], outcome["symmetric"], outcome["statistic"]


def _p(text: str) -> str:
    return p_words(float(text))


def studies_of(line: Line[Dossier]) -> list[ShownStudy]:
    """The kept studies, newest first."""
    return [shown_study(study) for study in reversed(line.followed.studies)]
