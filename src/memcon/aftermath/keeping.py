"""A study as an entry of a dossier: canonical JSON has no fractions, so that they are kept as texts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from memcon.aftermath.answer import answer
from memcon.aftermath.picture import Picture, picture_of
from memcon.aftermath.study import facts
from memcon.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.aftermath.study import Study


def study_body(study: Study, note: str = "") -> dict[str, Any]:
    """The body of a `study` entry (FORMATS §18)."""
    said = answer(study)
    return {
        "answer": {
            "sentence": said.lede,
            "seen": list(said.seen),
            "not_concluded": list(said.not_concluded),
            "how": said.how,
        },
        "facts": _exact(facts(study)),
        "picture": _exact(asdict(picture_of(study))),
        "note": note,
    }


def _exact(value: Any) -> Any:  # noqa: ANN401 # JSON
    """Fractions as texts that read back as the same number; tuples as lists."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    return value


def kept_picture(told: Mapping[str, Any]) -> Picture:
    """The picture of a kept study; FormatError where the entry holds none."""
    try:
        bars, said = tuple(told["bars"]), tuple(told["said"])
        numbers = [*bars, told["width"], told["mark"]]
        whole = all(isinstance(n, int) and 0 <= n < 1 << 53 for n in numbers) and told["width"] > 0
        if not whole or not 0 < len(bars) <= 100 or len(said) != 2 or not isinstance(told["label"], str):
            raise FormatError("entry of kind study", "its picture cannot be drawn", where="picture")
        return Picture(bars, told["width"], told["mark"], (str(said[0]), str(said[1])), told["label"])
    except (KeyError, TypeError) as error:
        raise FormatError("entry of kind study", "its picture cannot be drawn", where="picture") from error
