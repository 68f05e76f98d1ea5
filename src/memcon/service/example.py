"""The first dossier, as an example: the call of 28 January 2017, from published facts.

Names, dates, figures and short marked quotations; everything else is in our words. The claim that the
recording was switched off is shown as what it is: one origin, a conjecture, withdrawn by its author.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from memcon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.accounts.desk import AccountsDesk
    from memcon.store.dossiers import Kept

    Foreign = Callable[[str, str, str, dict[str, Any]], Kept]

BY = "memcon example"
FILE = "example-2017-01-28.json"


def install(desk: AccountsDesk, *, call: int | None = None, foreign: Foreign | None = None) -> str:
    """Write the example dossier and return its id. UsageError where it is here already.

    `foreign` writes entries of rooms other than `accounts`; without it they are left out.
    """
    for id_ in desk.store.ids():
        if id_.startswith("2017-01-28/") and desk.read(id_).head.example:
            raise UsageError(f"the example is here already: dossier {id_}")
    story = json.loads((resources.files("memcon.service") / FILE).read_text(encoding="utf-8"))
    dossier = desk.open(BY, story["head"] | {"call": call}).id
    named: dict[str, int] = {}
    for entry in story["entries"]:
        kind, name = entry.pop("entry"), entry.pop("as", None)
        theirs = entry.pop("foreign", False)
        if theirs and foreign is None:
            continue
        body = {key: _resolved(value, named) for key, value in entry.items()}
        if kind == "source":
            text = "\n\n".join(body.pop("paragraphs"))
            kept = desk.add_source(dossier, BY, text.encode("utf-8"), body)[0]
        elif theirs and foreign is not None:
            kept = foreign(dossier, kind, BY, body)
        else:
            kept = desk.write(dossier, kind, BY, body)
        if name:
            named[name] = kept.entry.n
    return dossier


def _resolved(value: Any, named: dict[str, int]) -> Any:  # noqa: ANN401  # any value of a JSON file
    """`#name` as the number of the entry of that name."""
    if isinstance(value, str) and value.startswith("#"):
        return named[value[1:]]
    if isinstance(value, list):
        return [_resolved(item, named) for item in value]
    return value
