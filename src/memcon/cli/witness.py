"""`memcon witness`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memcon.cli.common import emit, json_option, out, reports_errors
from memcon.clock import SystemClock
from memcon.witness.process import run_witness
from memcon.witness.settings import init_home, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.clock import Clock
    from memcon.service.log_pages import PageKeeper
    from memcon.witness.settings import Settings

VARIABLE = "MEMCON_WITNESS_HOME"
KEYS = {"both": ("ed25519", "mldsa44"), "ed25519": ("ed25519",), "mldsa44": ("mldsa44",)}


def _home(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path:
    default = Path(os.environ.get(VARIABLE) or Path.home() / ".local/share/memcon-witness")
    return (value or default).expanduser().absolute()


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--home DIR`, the witness's own."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        callback=_home,
        metavar="DIR",
        help=f"The witness's home directory [default: ${VARIABLE}, else ~/.local/share/memcon-witness]",
    )(command)


@click.group("witness")
def command() -> None:
    """Cosign logs, keep mirrors of them, and certify their silence (C2SP tlog-witness)."""


@command.command("init")
@home_option
@click.option("--name", required=True, help="The witness's name: an address you own, without https://")
@click.option("--keys", type=click.Choice(list(KEYS)), default="both", show_default=True,
              help="What it cosigns with: Ed25519, ML-DSA-44, or both")  # fmt: skip
@click.option("--listen", default="127.0.0.1:8090", show_default=True, metavar="ADDRESS:PORT")
@click.option("--policy", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A tlog-policy with the logs it cosigns; it is copied")  # fmt: skip
@click.option("--mirror", is_flag=True, help="Keep and watch the logs that have an address in the policy")
@json_option
@reports_errors
def init(
    home: Path, name: str, keys: str, listen: str, policy: Path | None, mirror: bool, as_json: bool
) -> None:
    """Make a witness: its keys, its configuration, the policy that names its logs."""
    text = policy.read_bytes() if policy else None
    settings = init_home(home, name, kinds=KEYS[keys], listen=listen, policy=text, mirror=mirror)
    vkeys = [str(key) for key in settings.cosigner().vkeys]
    if as_json:
        emit({"home": str(home), "name": name, "listen": listen, "keys": vkeys})
        return
    console = out()
    console.print(f"Made a witness in {home}. Its public keys, for everybody's policies:", markup=False)
    for vkey in vkeys:
        console.print(f"  {vkey}", markup=False)
    if policy is None:
        console.print(f"Name the logs it cosigns in {settings.logs}.", markup=False)
    console.print(f"Next: memcon witness serve --home {home}", markup=False)


@command.command("serve")
@home_option
@click.option("--page", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write the public page of each mirrored log to DIR/<hex>/, once a minute")  # fmt: skip
@click.option("--begin-anew", is_flag=True,
              help="Go on without the ledger, which is lost: the front page says so for good")  # fmt: skip
@reports_errors
def serve(home: Path, page: Path | None, begin_anew: bool) -> None:
    """Cosign until stopped."""

    def say(text: str) -> None:
        out().print(text, markup=False)
        sys.stdout.flush()

    settings, clock = load(home), SystemClock()
    beside = [] if page is None else [_page_keeper(settings, page, clock, say).run]
    run_witness(settings, clock, say, beside, begin_anew=begin_anew)


def _page_keeper(settings: Settings, page: Path, clock: Clock, say: Callable[[str], None]) -> PageKeeper:
    from memcon.service.log_pages import PageKeeper  # the console's templates, which a bare witness needs not

    return PageKeeper(settings, page, clock, say)
