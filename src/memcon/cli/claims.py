"""`memcon claims`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from memcon.accounts.attribution import proposals
from memcon.accounts.chain import chain_of, grade_warnings
from memcon.cli.common import emit, home_option, json_option, out, reports_errors
from memcon.cli.compare import find_dossier
from memcon.cli.dossier import desk_of
from memcon.errors import UsageError

if TYPE_CHECKING:
    from memcon.accounts.chain import Chain, Step
    from memcon.store.paths import Home


@click.command("claims")
@click.argument("call")
@click.argument("claim", type=int, required=False)
@click.option("--propose", is_flag=True, help="Propose attributions found in the sources; none is written")
@home_option
@json_option
@reports_errors
def command(home: Home, call: str, claim: int | None, propose: bool, as_json: bool) -> None:
    """Show the claims of a dossier as chains: origins, steps, withdrawals."""
    with desk_of(home) as desk:
        dossier = desk.read(find_dossier(desk, call))
        if propose:
            found = [p for n, text in desk.texts(dossier).items() for p in proposals(n, text)]
            decided = {(d.source, d.start, d.end) for d in dossier.decisions}
            open_ = [p for p in found if (p.source, p.start, p.end) not in decided]
            if as_json:
                emit([asdict(p) for p in open_])
            for p in open_ if not as_json else ():
                where = f"source {p.source}, {p.start} to {p.end}"
                out().print(f"{where}: {p.who or 'somebody'} {p.stance}: {p.text}", markup=False)
            return
    if claim is not None and claim not in dossier.claims:
        raise UsageError(
            f"dossier {dossier.id} has no claim {claim}", cure="memcon claims DOSSIER lists them"
        )
    chains = [chain_of(dossier, n) for n in dossier.claims if claim in (None, n)]
    if as_json:
        emit([chain_json(chain) for chain in chains])
        return
    for chain in chains:
        out().print(f"Claim {chain.claim.n}: {chain.claim.text}", markup=False)
        out().print(f"  {chain.sentence}", markup=False)
        for step in chain.steps:
            out().print(f"  {step_text(step)}", markup=False)
        for line in grade_warnings(chain):
            out().print(f"  {line}", markup=False)


def step_text(step: Step) -> str:
    """A step in one line."""
    one = step.appearance
    parts = [f"{step.nth} · {one.when or 'undated'} · {one.who} {one.stance}"]
    if one.words:
        parts.append(f"“{one.words}”")
    if step.change:
        parts.append(step.change)
    if step.came_from:
        parts.append("from " + ", ".join(str(n) for n in step.came_from))
    if step.takes_back:
        parts.append("takes back " + ", ".join(str(n) for n in step.takes_back))
    return f"[{one.n}] " + "; ".join(parts)


def chain_json(chain: Chain) -> dict[str, Any]:
    """A chain as `--json` reports it."""
    return {
        "claim": chain.claim.n,
        "text": chain.claim.text,
        "sentence": chain.sentence,
        "status": chain.status,
        "origins": [a.n for a in chain.origins],
        "originators": chain.originators,
        "untraced": [a.n for a in chain.untraced],
        "appearances": chain.appearances,
        "retractions": [a.n for a in chain.retractions],
        "warnings": grade_warnings(chain),
        "steps": [
            {
                "step": s.nth,
                "entry": s.appearance.n,
                "who": s.appearance.who,
                "when": s.appearance.when,
                "stance": s.appearance.stance,
                "words": s.appearance.words,
                "came_from": list(s.came_from),
                "led_to": list(s.led_to),
                "takes_back": list(s.takes_back),
                "looks_into": list(s.looks_into),
                "change": s.change,
                "new_words": list(s.new_words),
                "reached_by_withdrawal": s.reached,
                "grades": [f"{g.reliability}{g.credibility}" for g in s.grades],
            }
            for s in chain.steps
        ],
    }
