"""Which topics each readout speaks of, against a list made by hand: micro-F1 over (side, topic).

    python bench/readouts.py FOLDER [--misses]

FOLDER holds `gold.json` ({"pairs": {name: {topic: "A" | "B" | "AB"}}}) and for each pair a folder with
`a.txt` and `b.txt`, a JSON line about it above each text. A pair is judged on the topics that the gold file
names in any of its pairs; a party's own country is not judged.
"""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memcon.accounts.intake import read_source
from memcon.accounts.lexicon import Lexicon, own
from memcon.accounts.model import Participant
from memcon.accounts.points import points_of
from memcon.accounts.speakers import speakers_of

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent


def meaning(name: str, lexicon: Lexicon, names: dict[str, list[str]]) -> set[str]:
    """The topics of the lexicon that a gold name means."""
    known = {key.casefold(): value for key, value in names.items()}
    if name.casefold() in known:
        return set(known[name.casefold()])
    found = {m.topic for m in lexicon.find(name)}
    for part in re.split(r"[/,]| and ", name):
        found |= set(known.get(part.strip().casefold(), ()))
    return found


def people_of(header: dict[str, Any]) -> list[Participant]:
    """`US: Barack Obama` and so on."""
    people = []
    for letter, text in zip("AB", header.get("parties", []), strict=False):
        country, _, name = text.partition(":")
        people.append(Participant(letter, name.strip(), "President", country.strip()))
    return people


def topics_of(path: Path, lexicon: Lexicon) -> set[str]:
    """The topics of one text."""
    data = path.read_bytes()
    text = read_source(data, path.name)[0].text or ""
    header = json.loads(data.decode("utf-8").split("\n", 1)[0])
    people = people_of(header)
    own_countries = frozenset(p.country for p in people)
    points = points_of(1, text, lexicon, speakers_of(people, lexicon), own=own_countries)
    return {topic for point in points for topic in point.topics}


def counts_of(
    folder: Path, topics: Callable[[str, str], set[str]], *, misses: bool = False
) -> tuple[int, int, int]:
    """(right, false, missed) over every (side, topic); `topics(pair, side)` is what was found there."""
    lexicon = own()
    names = tomllib.loads((HERE / "topic_names.toml").read_text(encoding="utf-8"))
    gold = json.loads((folder / "gold.json").read_text(encoding="utf-8"))["pairs"]
    universe = {name: meaning(name, lexicon, names) for topics in gold.values() for name in topics}
    right = false = missed = 0
    words = {True: "missed", False: "found, not in the list"}
    for pair, wanted in gold.items():
        for side in "AB":
            path = folder / pair / f"{side.lower()}.txt"
            header = json.loads(path.read_text(encoding="utf-8").split("\n", 1)[0])
            parties = {p.country for p in people_of(header)}
            found = topics(pair, side)
            for name, meant in universe.items():
                if meant and meant <= parties:
                    continue
                is_wanted, is_found = side in wanted.get(name, ""), bool(meant & found)
                right += is_wanted and is_found
                false += is_found and not is_wanted
                missed += is_wanted and not is_found
                if misses and is_wanted != is_found:
                    print(f"  {pair} {side}: {name} {words[bool(is_wanted)]}")
    return right, false, missed


def score(
    folder: Path, topics: Callable[[str, str], set[str]] | None = None, *, misses: bool = False
) -> dict[str, float]:
    """Counts and micro-F1 over every (side, topic) of the folder: by the lexicon, or what `topics` found."""
    lexicon = own()
    found = topics or (lambda pair, side: topics_of(folder / pair / f"{side.lower()}.txt", lexicon))
    right, false, missed = counts_of(folder, found, misses=misses)
    precision, recall = right / max(1, right + false), right / max(1, right + missed)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return {
        "right": right,
        "false": false,
        "missed": missed,
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--misses", action="store_true")
    args = parser.parse_args()
    for key, value in score(args.folder, misses=args.misses).items():
        print(f"{key}: {value:.3f}" if value % 1 else f"{key}: {value:.0f}")


if __name__ == "__main__":
    main()
