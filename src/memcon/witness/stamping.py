"""Time stamps (RFC 3161) from configured authorities over the newest cosigned note, one a day from each.

A thread of its own: an authority that is slow or away keeps nobody waiting, and is asked again later.
What comes back is read, and checked under the roots where there are any, before it is kept (FORMATS §15).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.clock import NS, utc
from memcon.errors import FormatError, MemconError, UsageError
from memcon.record import evidence
from memcon.store.durable import read_if_there
from memcon.verify.stamped import SHA256, check_token, library, read_roots
from memcon.witness.client import Connection, WitnessError

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from memcon.clock import Clock
    from memcon.witness.archive import Archive
    from memcon.witness.submit import Newest

RETRY_NS = 600 * NS
MOST_APART = 3600
"""Seconds between an authority's clock and ours: more, and what it says is no use as a date."""
LOOK_SECONDS = 1.0
QUERY_TYPE = "application/timestamp-query"


@dataclass(slots=True)
class Authority:
    """One authority: the day it has stamped last, when it is asked next (monotonic ns), what went wrong."""

    url: str
    day: str = ""
    next: int = 0
    time: int = 0
    problem: str = "not asked yet"


class Stamper:
    """Has the newest note stamped. Raises UsageError where the library is not installed."""

    def __init__(
        self, archive: Archive, urls: Sequence[str], clock: Clock, roots: bytes | None = None
    ) -> None:
        lib = library()
        if lib is None:
            raise UsageError(
                "time stamps need rfc3161-client", cure="pip install rfc3161-client, or take [timestamps] out"
            )
        self._lib = lib
        self._archive = archive
        self._clock = clock
        self._roots = None if roots is None else read_roots(roots)
        self._newest: Newest | None = None
        self.authorities = [Authority(url) for url in urls]
        self._skip_stamped()

    def _skip_stamped(self) -> None:
        """After a start: as many authorities as have stamped today already are not asked again."""
        today = evidence.day_of(self._clock.wall_ns() // NS)
        index = read_if_there(self._archive.root / evidence.STAMP_INDEX) or b""
        stamped = sum(evidence.day_of(entry.time) == today for entry in evidence.read_entries(index))
        for authority in self.authorities[:stamped]:
            authority.day = today

    def offer(self, newest: Newest) -> None:
        """A note was archived: the one to have stamped when a day begins."""
        self._newest = newest

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            self.step()

    def step(self) -> None:
        """Ask each authority whose turn it is; never raises for what it does."""
        newest, now = self._newest, self._clock.monotonic_ns()
        if newest is None:
            return
        day = evidence.day_of(self._clock.wall_ns() // NS)
        for authority in self.authorities:
            if authority.day == day or now < authority.next:
                continue
            authority.next = now + RETRY_NS
            try:
                authority.time = self._stamp(authority.url, newest)
            except MemconError as error:
                authority.problem = str(error)
            else:
                authority.day, authority.problem = day, ""

    def _stamp(self, url: str, newest: Newest) -> int:
        data = read_if_there(self._archive.root / evidence.hashed_path("note", newest.digest)) or b""
        query = self._query(data)
        connection = Connection(url)
        try:
            status, answer = connection.ask("POST", None, query.as_bytes(), kind=QUERY_TYPE)
        finally:
            connection.close()
        if status != 200:
            raise WitnessError(f"{url} answers {status}")
        time = self._check(answer, query, newest.digest)
        self._archive.add_stamp(answer, newest.size, time)
        return time

    def _query(self, data: bytes) -> Any:  # noqa: ANN401  # of a library that need not be there
        lib = self._lib
        builder = lib.TimestampRequestBuilder().data(data).hash_algorithm(lib.HashAlgorithm.SHA256)
        return builder.nonce(nonce=True).cert_request(cert_request=True).build()

    def _check(self, answer: bytes, query: Any, digest: bytes) -> int:  # noqa: ANN401  # likewise
        """The token's time. It must answer the question; without roots, readers say whether to believe it."""
        try:
            read = self._lib.decode_timestamp_response(answer)
            if read.status != 0:
                raise FormatError("time stamp", f"refused with status {read.status} {read.status_string}")
            info = read.tst_info
            imprint = info.message_imprint
            if (imprint.hash_algorithm.dotted_string, bytes(imprint.message)) != (SHA256, digest):
                raise FormatError("time stamp", "is over something else")
            if info.nonce != query.nonce:
                raise FormatError("time stamp", "answers another question")
            time = int(info.gen_time.timestamp())
        except FormatError:
            raise
        except Exception as error:  # of a library, about input from outside: it is not kept
            raise FormatError("time stamp", str(error) or type(error).__name__) from error
        if abs(time - self._clock.wall_ns() // NS) > MOST_APART:
            text = f"is dated {utc(time * NS)}: that clock or this one is wrong"
            raise FormatError("time stamp", text)
        return time if self._roots is None else check_token(self._lib, answer, self._roots)[1]

    def status(self) -> list[dict[str, Any]]:
        """What the status page and `memcon status` show; times in POSIX seconds, 0 for none."""
        return [{"url": a.url, "time": a.time, "problem": a.problem} for a in self.authorities]
