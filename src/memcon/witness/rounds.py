"""Takes drand's newest round from an address or a file, for the next beat to name.

A thread of the process that speaks to witnesses: sealing finds the round in the run directory and never
waits for it. A round is kept where readers look for its signature before word of it is left.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.errors import FormatError, MemconError
from memcon.record.drand import SIGNATURE_SIZE, Round
from memcon.store import durable
from memcon.store.tiles import PUBLIC, PUBLIC_DIR
from memcon.verify.rounds import check_round, library
from memcon.witness.client import Connection, WitnessError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from memcon.clock import Clock

AHEAD_S = 3
"""By how much our clock may be behind theirs."""


class Rounds:
    """Looks every so often, keeps a new round in the log's directory and tells of it."""

    def __init__(
        self, root: Path, source: str, clock: Clock, tell: Callable[[Round], object], *, seconds: float
    ) -> None:
        """`source`: an http or https address of `public/latest`, or a file with the same JSON."""
        self._root = root
        self._source = source
        self._clock = clock
        self._tell = tell
        self._seconds = seconds
        self._lib = library()
        self._last = 0
        self.problem = "not looked yet"

    def run(self, stop: threading.Event) -> None:
        self.step()
        while not stop.wait(self._seconds):
            self.step()

    def step(self) -> None:
        """Look once; never raises for what the source does."""
        try:
            one = self._read()
            if one.number > self._last:
                self._keep(one)
        except MemconError as error:
            self.problem = str(error)
        else:
            self.problem = ""

    def _read(self) -> Round:
        data = self._fetch()
        try:
            said = json.loads(data)
            one = Round(int(said["round"]), bytes.fromhex(said["signature"]))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            text = "is no JSON with round and signature"
            raise FormatError("drand round", text, where=self._source) from error
        if len(one.signature) != SIGNATURE_SIZE or one.number < 1:
            raise FormatError("drand round", "is none of quicknet", where=self._source)
        if one.time > self._clock.wall_ns() // NS + AHEAD_S:
            raise FormatError("drand round", "is of the future: see this machine's clock", where=self._source)
        if self._lib is not None and one.number > self._last:
            check_round(self._lib, one)
        return one

    def _fetch(self) -> bytes:
        if not self._source.startswith(("http://", "https://")):
            return durable.read_bytes(Path(self._source))
        connection = Connection(self._source)
        try:
            status, data = connection.ask("GET", None)
        finally:
            connection.close()
        if status != 200:
            raise WitnessError(f"{self._source} answers {status}")
        return data

    def _keep(self, one: Round) -> None:
        path = self._root / one.path
        durable.make_dirs(path.parent, PUBLIC_DIR)
        durable.append(path, one.encode(), mode=PUBLIC)
        self._last = one.number
        self._tell(one)
