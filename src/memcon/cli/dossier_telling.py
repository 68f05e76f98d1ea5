"""What the commands of a dossier share: who writes, and how sources that were taken in are told of."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from memcon.cli.common import emit, out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.store.dossiers import Kept

by_option = click.option(
    "--by", default=getpass.getuser, show_default="the system user", help="Who writes this: kept with it"
)


def tell_sources(made: Sequence[Kept], dossier: str, *, as_json: bool) -> None:
    """Report sources that were taken in, with what of them could not be read."""
    if as_json:
        emit([{"dossier": dossier, "entry": k.entry.n, "hash": k.hash, **k.entry.body} for k in made])
        return
    for kept in made:
        body = kept.entry.body
        of = f", later version of source {body['version_of']}" if body["version_of"] is not None else ""
        what = f"{body['bytes']:,} bytes, {body['media_type']}, SHA-256 {body['sha256']}{of}"
        out().print(f"Source {kept.entry.n}: {what}", markup=False)
        for remark in body["remarks"]:
            out().print(f"  {remark}", markup=False)
