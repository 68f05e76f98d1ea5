"""`memcon-verify was-it-on LOG FROM [TO]`: the question on the command line of the one-file verifier."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.errors import MemconError, UsageError
from memcon.verify import times
from memcon.verify.asking import Asker, cache_directory
from memcon.verify.attest import Demand
from memcon.verify.findings import EXIT_UNREADABLE
from memcon.verify.was_it_on import Question, to_json, to_text
from memcon.verify.words import plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

NAME = "was-it-on"
EPILOG = (
    "Exit codes: 0 attested recording, 10 degraded, 11 partly off, 12 declared off, 13 unknown, 14 early, "
    "15 late, 16 withheld, 17 silent; 1 the log contradicts itself; 2 no answer could be given."
)


def question(since: str, until: str | None, zone: tzinfo) -> Question:
    """The stretch that is asked about; a moment without `until`. Raises UsageError."""
    first = times.parse(since, zone)
    last = first + 1 if until is None else times.parse(until, zone)
    if last <= first:
        raise UsageError(f"the stretch ends before it begins: {since} to {until}")
    return Question(first, last)


def parser() -> argparse.ArgumentParser:
    """The arguments; docs/CLI.md describes those of `memcon was-it-on`, which are the same."""
    p = argparse.ArgumentParser(
        prog=f"memcon-verify {NAME}",
        description="Say whether a recorder was attested at a time, or all through a stretch of time.",
        epilog=EPILOG,
    )
    p.add_argument("log", metavar="LOG", help="a log or a mirror: a directory, or an http(s) address")
    p.add_argument("since", metavar="FROM", help=times.FORMS)
    p.add_argument("until", metavar="TO", nargs="?", help="without it: the slot that FROM falls into")
    p.add_argument("--policy", type=Path, metavar="FILE", help="a tlog-policy: whose witnesses count for you")
    p.add_argument("--zone", default="UTC", metavar="ZONE", help="of times without an offset [UTC]")
    p.add_argument("--offline", action="store_true", help="answer from what was read before alone")
    p.add_argument("--cache", type=Path, metavar="DIR", help="where to keep what was read")
    p.add_argument("--no-cache", action="store_true", help="keep nothing")
    p.add_argument("--max-period", type=int, default=60, metavar="S", help="accept no longer slots [60]")
    p.add_argument("--max-b", type=int, default=6, metavar="N", help="accept no older notes, in periods [6]")
    p.add_argument("--max-g", type=int, default=3, metavar="N", help="accept no longer grace, in periods [3]")
    p.add_argument("--json", action="store_true", help="the answer as JSON")
    p.add_argument("--quiet", action="store_true", help="say nothing; the exit code tells")
    return p


def main(argv: Sequence[str]) -> int:
    """Ask, answer, and return the exit code."""
    args = parser().parse_args(argv)
    try:
        zone = times.zone(args.zone)
        asked = question(args.since, args.until, zone)
        asker = Asker(
            args.log,
            None if args.policy is None else args.policy.read_bytes(),
            cache=None if args.no_cache else args.cache or cache_directory(),
            demand=Demand(args.max_period * 1000, args.max_b, args.max_g),
        )
        reply = asker.ask(asked, offline=args.offline)
    except (MemconError, OSError) as error:
        sys.stderr.write(f"memcon-verify: {plain(str(error))}\n")
        return EXIT_UNREADABLE
    if args.json:
        sys.stdout.write(json.dumps(to_json(reply, zone), indent=2, ensure_ascii=False) + "\n")
    elif not args.quiet:
        sys.stdout.write(to_text(reply, zone))
    return reply.exit_code
