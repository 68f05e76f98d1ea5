"""What Prometheus reads, and a health page for machines, by what the processes last said.

The office serves them on a listener of their own. Nothing is asked of capture or seal: a reader, however
often he comes, costs them nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from memcon.clock import BOUNDS_S, NS
from memcon.console.health import FAILED, alarms, judge, read_words
from memcon.errors import MachineError
from memcon.service.supervisor import roles_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric
    from starlette.requests import Request

    from memcon.clock import Clock
    from memcon.console.health import Words
    from memcon.service.config import Config
    from memcon.store.paths import Home

SOFTNET = Path("/proc/net/softnet_stat")
MOST_AT_ONCE = 16
CONTENT = "text/plain; version=0.0.4; charset=utf-8"

# (process, where in its word, name, what it is); a counter's name ends in _total
FIGURES: tuple[tuple[str, str, str, str], ...] = (
    ("capture", "calls", "memcon_calls", "Calls going on"),
    ("capture", "streams", "memcon_sockets", "Media sockets open"),
    ("capture", "calls_started", "memcon_calls_started_total", "Calls taken"),
    ("capture", "calls_refused", "memcon_calls_refused_total", "Calls refused"),
    ("capture", "messages_unread", "memcon_sip_unread_total", "SIP messages that could not be read"),
    ("capture", "defects", "memcon_defects_total", "Errors that nobody foresaw"),
    ("capture", "packets", "memcon_packets_total", "Media packets read"),
    ("capture", "octets", "memcon_bytes_total", "Media bytes read"),
    ("capture", "losses.sockets_broken", "memcon_sockets_broken", "Media sockets that cannot be read"),
    ("capture", "losses.truncated", "memcon_packets_truncated_total", "Packets cut short"),
    ("capture", "last_sweep_s", "memcon_sweep_seconds", "The last sweep over all sockets took so long"),
    ("capture", "journal_lag_s", "memcon_journal_lag_seconds", "Since all that was written was on the disk"),
    ("capture", "journal_waiting", "memcon_journal_waiting_bytes", "In memory and not safely on the disk"),
    ("capture", "journal_full", "memcon_journal_full", "1 while the journal takes no more audio"),
    ("seal", "index", "memcon_log_newest_leaf", "Index of the newest beat"),
    ("seal", "state", "memcon_beat_state", "Its state: 1 recording, 2 degraded, 3 partly off, 4 off"),
    ("seal", "figures.calls_ended", "memcon_calls_sealed_total", "Calls sealed to their end"),
    ("seal", "figures.packets.received", "memcon_packets_sealed_total", "Packets in sealed leaves"),
    ("seal", "figures.packets.duplicates", "memcon_packets_duplicate_total", "Packets that came twice"),
    ("seal", "figures.packets.reordered", "memcon_packets_reordered_total", "Packets out of order"),
    ("office", "kept", "memcon_calls_kept_total", "Calls put into the vault"),
    ("witness", "quorum", "memcon_witness_quorum", "1 while a quorum has cosigned of late"),
    ("witness", "size", "memcon_witness_size", "Leaves that the newest quorum has cosigned"),
    ("witness", "quorum_time", "memcon_witness_quorum_timestamp_seconds", "When it had, POSIX time"),
)  # fmt: skip
LOSSES = {
    "socket": ("seal", "figures.packets.socket"),
    "sequence": ("seal", "figures.packets.sequence"),
    "journal": ("capture", "losses.journal"),
}
HISTOGRAMS: tuple[tuple[str, str, str, str], ...] = (
    ("capture", "journal_syncs", "memcon_journal_sync_seconds", "Making the journal safe on the disk"),
    ("seal", "figures.beats_late", "memcon_beat_lateness_seconds", "From a slot's end to its checkpoint"),
    ("seal", "figures.beats_made", "memcon_checkpoint_seconds", "From beat made to checkpoint published"),
)


def _at(words: Words, process: str, path: str) -> Any:  # noqa: ANN401  # JSON: whatever stands there
    found: Any = words.get(process, {})
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def softnet_dropped(path: Path = SOFTNET) -> int | None:
    """Packets of any kind dropped before any socket was found, for want of backlog (column 2, hex)."""
    try:
        return sum(int(line.split()[1], 16) for line in path.read_text(encoding="ascii").splitlines())
    except (OSError, ValueError, IndexError):
        return None


class Metrics:
    """A collector of Prometheus over one home, and its health."""

    def __init__(self, home: Home, config: Config, clock: Clock) -> None:
        self._home = home
        self._roles = roles_of(config)
        self._period = config.period * NS
        self._clock = clock

    def words(self) -> Words:
        return read_words(self._home, self._roles, self._period, self._clock.wall_ns())

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterable[Metric]:
        words = self.words()
        for process, path, name, help_ in FIGURES:
            value = _at(words, process, path)
            if isinstance(value, int | float):
                yield _single(name, help_, value)
        yield from self._losses(words)
        for process, path, name, help_ in HISTOGRAMS:
            found = _histogram(name, help_, _at(words, process, path))
            if found is not None:
                yield found
        up = GaugeMetricFamily("memcon_up", "1 while the process says that it works", labels=["process"])
        for role, said in words.items():
            up.add_metric([role], float(said["running"]))
        yield up
        yield _single("memcon_calls_held", "Calls that wait for a custodian", len(_list(words, "locked")))
        yield _single("memcon_alarms", "What somebody has to do something about", len(alarms(words)))
        yield from self._disk()

    def _losses(self, words: Words) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "memcon_packets_lost", "Lost packets, each in one layer's account", labels=["layer"]
        )
        for layer, (process, path) in LOSSES.items():
            value = _at(words, process, path)
            if isinstance(value, int):
                family.add_metric([layer], value)
        yield family
        dropped = softnet_dropped()
        if dropped is not None:
            text = "Packets of any kind that this machine dropped before any socket"
            yield _single("memcon_machine_softnet_dropped_total", text, dropped)

    def _disk(self) -> Iterator[Metric]:
        free = GaugeMetricFamily("memcon_disk_free_bytes", "Room on the disk under it", labels=["under"])
        for name, path in (("home", self._home.root), ("vault", self._home.vault), ("run", self._home.run)):
            with contextlib.suppress(OSError):
                free.add_metric([name], shutil.disk_usage(path).free)
        yield free


def _list(words: Words, key: str) -> list[Any]:
    found = _at(words, "seal", key)
    return found if isinstance(found, list) else []


def _single(name: str, help_: str, value: float) -> Metric:
    if name.endswith("_total"):
        return CounterMetricFamily(name, help_, value=value)
    return GaugeMetricFamily(name, help_, value=float(value))


def _histogram(name: str, help_: str, said: object) -> Metric | None:
    if not isinstance(said, dict):
        return None
    counts, total = said.get("counts"), said.get("total_s")
    if not isinstance(counts, list) or len(counts) != len(BOUNDS_S) + 1 or not isinstance(total, int | float):
        return None
    sums = itertools.accumulate(counts)
    buckets = [(str(bound), float(n)) for bound, n in zip((*BOUNDS_S, "+Inf"), sums, strict=True)]
    return HistogramMetricFamily(name, help_, buckets=buckets, sum_value=total)


def app(metrics: Metrics) -> Starlette:
    """`/metrics`, and `/healthz`: JSON, with status 503 where it has failed."""

    def show(_: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT)

    def health(_: Request) -> Response:
        found = judge(metrics.words())
        status = 503 if found.status == FAILED else 200
        return JSONResponse({"status": found.status, "reasons": list(found.reasons)}, status)

    return Starlette(routes=[Route("/metrics", show), Route("/healthz", health)])


@contextlib.contextmanager
def serve_metrics(metrics: Metrics, listen: tuple[str, int] | None) -> Iterator[None]:
    """Serve beside what is done meanwhile; nothing where no place is named. Raises MachineError."""
    if listen is None:
        yield
        return
    host, port = listen
    server = uvicorn.Server(
        uvicorn.Config(
            app(metrics), host=host, port=port, log_level="warning", access_log=False,
            server_header=False, limit_concurrency=MOST_AT_ONCE, timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, port), family=family)
    except OSError as error:
        text = f"metrics cannot listen on {host}:{port}: {error.strerror}"
        raise MachineError(text, cure="Change [metrics] listen in memcon.toml") from error
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        sock.close()
