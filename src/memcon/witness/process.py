"""`memcon witness serve`: the witness, and with `mirror` the keeper of mirrors and the watch."""

from __future__ import annotations

import contextlib
import fcntl
from typing import TYPE_CHECKING

from memcon.errors import UsageError
from memcon.witness.core import Witness
from memcon.witness.ledger import Ledger
from memcon.witness.server import App, make_server, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.witness.settings import Settings


def about(settings: Settings) -> str:
    """What the front page says first: who this is, and the lines for other people's policies."""
    lines = [f"{settings.name}: a witness of transparency logs (C2SP tlog-witness)."]
    lines += [str(key) for key in settings.cosigner().vkeys]
    return "\n".join(lines) + "\n"


def run_witness(settings: Settings, clock: Clock, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises UsageError or FormatError for what is not set up well."""
    with only_one(settings.home):
        _run(settings, clock, say)


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold a witness's home: two writers of one ledger could cosign two histories."""
    with (home / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"a witness runs in {home} already", cure="Stop it first") from error
        yield


def _run(settings: Settings, clock: Clock, say: Callable[[str], None]) -> None:
    cosigner, policy = settings.cosigner(), settings.policy()
    ledger = Ledger(settings.ledger, {(key.name, key.key_id) for key in cosigner.vkeys})
    witness = Witness(cosigner, [log.key for log in policy.logs], clock, ledger.latest)
    app = App(witness, ledger, mirror=settings.mirrors if settings.mirror else None, about=about(settings))
    where = f"{settings.host}:{settings.port}"
    say(f"Witness {settings.name} on http://{where}/ for {', '.join(witness.origins)}")
    try:
        serve(make_server(app, settings.host, settings.port), where)
    finally:
        ledger.close()
