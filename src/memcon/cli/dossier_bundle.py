"""`memcon dossier bundle`: a dossier as one file that a stranger can check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from memcon.cli.calls import catalogue_of
from memcon.cli.common import emit, home_option, json_option, load_config, out, reports_errors
from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.record.hashing import sha256
from memcon.service.dossier_bundle import dossier_bundle
from memcon.service.dossiers import open_desk
from memcon.store.durable import write_file

if TYPE_CHECKING:
    from memcon.store.paths import Home


@click.command("bundle")
@click.argument("dossier")
@click.option("--to", type=click.Path(path_type=Path), help="File or directory [default: here]")
@click.option("--without", type=int, multiple=True, metavar="N",
              help="Withhold the bytes and text of source N; its digest stays")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a file that is there")
@home_option
@json_option
@reports_errors
def bundle(
    home: Home, dossier: str, to: Path | None, without: tuple[int, ...], force: bool, as_json: bool
) -> None:
    """Take a dossier away with its sources and proofs: one file that memcon-verify.pyz checks offline."""
    origin = load_config(home).origin
    target = to or Path.cwd()
    if target.is_dir():
        target = target / f"dossier-{dossier.replace('/', '-')}.zip"
    if target.exists() and not force:
        raise UsageError(f"{target} is there already", cure="Give another --to, or --force")
    with catalogue_of(home) as catalogue:
        desk = open_desk(home, SystemClock(), catalogue)
        data = dossier_bundle(desk, home, origin, dossier, without=without)
        hashes = [kept.hash for kept in desk.store.read(dossier)]
        left = len(set(hashes) - set(desk.index.sealed(hashes)))
    write_file(target, data, 0o644)
    if as_json:
        digest = sha256(data).hex()
        emit(
            {"dossier": dossier, "path": str(target), "bytes": len(data), "sha256": digest, "unsealed": left}
        )
        return
    out().print(f"Wrote {target} ({len(data):,} bytes).", markup=False)
    if left:
        out().print(
            f"{left} of {len(hashes)} entries are not sealed yet: the next beat of memcon serve seals them."
        )
