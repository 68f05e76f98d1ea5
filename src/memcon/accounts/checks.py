"""What an entry must fit before it is written: the things it names are there, spans lie in their text,
derivations never run in a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memcon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memcon.accounts.model import Dossier

    TextOf = Callable[[int], str | None]


NAMES = ("source", "translation_of", "version_of", "claim", "appearance", "from", "to", "entry", "event")
"""Fields that name another entry by its number."""
_GO_WITH = frozenset({"point", "link", "decision", "grade", "withdrawal"})
"""Marks on something: they go with it, and need not be withdrawn before."""
_GOES_WITH = frozenset({"event"})
"""Fields by which something goes with what it names: an account with its event."""


def check(dossier: Dossier, kind: str, body: dict[str, Any], text_of: TextOf) -> None:
    """Raises UsageError where the entry does not fit the dossier as it stands."""
    for key in ("source", "translation_of", "version_of"):
        if body.get(key) is not None and body[key] not in dossier.sources:
            raise UsageError(f"dossier {dossier.id} has no source {body[key]}", cure=_those(dossier.sources))
    if body.get("claim") is not None and body["claim"] not in dossier.claims:
        raise UsageError(f"dossier {dossier.id} has no claim {body['claim']}", cure=_those(dossier.claims))
    for key in ("appearance", "from", "to"):
        if body.get(key) is not None and body[key] not in dossier.appearances:
            raise UsageError(
                f"dossier {dossier.id} has no appearance {body[key]}", cure=_those(dossier.appearances)
            )
    if body.get("start") is not None and isinstance(body["start"], int):
        _span(body, text_of)
    if kind == "derivation":
        _no_circle(dossier, body["from"], body["to"])
    if kind == "withdrawal":
        _withdrawable(dossier, body["entry"])


def _those(things: dict[int, Any]) -> str:
    names = ", ".join(str(n) for n in list(things)[:20])
    return f"There are: {names}" if names else "There is none yet"


def _span(body: dict[str, Any], text_of: TextOf) -> None:
    source, start, end = body.get("source"), body["start"], body.get("end")
    if source is None or end is None:
        raise UsageError("a span needs a source, a start and an end")
    text = text_of(source)
    if text is None:
        raise UsageError(f"source {source} has no text that a span could lie in")
    if not start < end <= len(text):
        raise UsageError(f"{start} to {end} is no span of source {source}, which has {len(text)} characters")
    words = body.get("words")
    if words and " ".join(words.split()) != " ".join(text[start:end].split()):
        raise UsageError(
            f"the words are not those of source {source} from {start} to {end}",
            cure="Leave the words out: they are read from the source",
        )
    if not text[start:end].strip():
        raise UsageError(f"nothing but space stands in source {source} from {start} to {end}")


def _no_circle(dossier: Dossier, first: int, last: int) -> None:
    """Refuse a derivation whose target leads back to where it comes from."""
    led_to: dict[int, list[int]] = {}
    for one in dossier.derivations:
        led_to.setdefault(one.from_, []).append(one.to)
    seen, waiting = {last}, [last]
    while waiting:
        at = waiting.pop()
        if at == first:
            raise UsageError(
                f"appearance {last} leads to {first} already: nothing derives from itself",
                cure="Look at who spoke first, or withdraw the derivation that is wrong",
            )
        for further in led_to.get(at, ()):
            if further not in seen:
                seen.add(further)
                waiting.append(further)


def names_of(body: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(field, number) of every other entry that a body names, of whatever room."""
    found = [(key, body[key]) for key in NAMES if isinstance(body.get(key), int)]
    places = [
        (key, body[key][0]) for key in ("first", "second") if isinstance(body.get(key), list) and body[key]
    ]
    return found + [(key, n) for key, n in places if isinstance(n, int)]


def _withdrawable(dossier: Dossier, n: int) -> None:
    if not 1 < n <= dossier.version:
        raise UsageError(f"dossier {dossier.id} has no entry {n} that can be withdrawn")
    if n in dossier.withdrawals:
        raise UsageError(f"entry {n} was withdrawn already, by {dossier.withdrawals[n].by}")
    kind = dossier.kept[n - 1].entry.kind
    if kind in ("dossier", "withdrawal"):
        raise UsageError(f"entry {n} is of kind {kind}: write another one instead")
    users = [
        k.entry.n
        for k in dossier.kept
        if k.entry.n not in dossier.withdrawals
        and k.entry.kind not in _GO_WITH
        and n in {named for key, named in names_of(k.entry.body) if key not in _GOES_WITH}
    ]
    if users:
        raise UsageError(
            f"entry {n} is used by {', '.join(f'entry {u}' for u in sorted(users)[:10])}",
            cure="Withdraw those first",
        )
