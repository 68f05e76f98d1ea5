"""A call on a stage, sealed by a recorder whose operator has changed the program: attacks inside a call.

Journal, sealing and vault are a recorder's own; only the beats are made by a sequencer that lies, and
time is told. A third party checks the bundle of the call with the stand-alone verifier, an overseer the
structure of its slots.
"""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.capture.receiver import Sweep
from memcon.clock import NS, ManualClock
from memcon.errors import FormatError
from memcon.record import call as calls
from memcon.record import slottree
from memcon.record.hashing import sha256
from memcon.seal.keys import load_keys, read_secret
from memcon.seal.sealer import Sealer
from memcon.seal.sequencer import Sequencer
from memcon.service.archive import Archive
from memcon.service.config import template
from memcon.service.demo import run_verifier
from memcon.service.parts import config_parts
from memcon.service.setup import init_home
from memcon.service.stage import BEGIN, ORIGIN, Shown
from memcon.service.structure import StructureFeed, make_overseer, open_files, read_overseer
from memcon.store.durable import make_dirs, read_bytes
from memcon.store.paths import Home
from memcon.vault.keeper import Keeper
from memcon.verify.keys import Trust
from memcon.verify.structure import structure_files, verify_structure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from memcon.record.call import CallLeaf
    from memcon.record.slottree import SlotTree

FOUND, WHOLE = "found", "whole"
SECONDS = 6
PERIOD = 2
SWEEP_NS = NS // 10
INVITE = b"INVITE sip:recorder@stage.example SIP/2.0\r\nCall-ID: stage\r\n\r\n"
BYE = b"BYE sip:recorder@stage.example SIP/2.0\r\nCall-ID: stage\r\n\r\n"


class StageHome(Home):
    """A throw-away home: its run directory lies in it, whatever MEMCON_RUN says of the real one."""

    @property
    def run(self) -> Path:
        return self.root / "run"


class Forger(Sequencer):
    """Makes the beats of call leaves that it has changed; `forge` says how. What follows is chained anew."""

    def __init__(self, *made_of: object) -> None:
        super().__init__(*made_of)  # type: ignore[arg-type]
        self._before: dict[int, bytes] = {}

    def tree(self, index: int, slot: int, leaves: Mapping[int, bytes]) -> SlotTree:
        if isinstance(leaves, dict):  # the sealer's own, which it goes on with
            leaves.update(self._forged(leaves))
        return super().tree(index, slot, leaves)

    def _forged(self, leaves: Mapping[int, bytes]) -> dict[int, bytes]:
        made: dict[int, bytes] = {}
        for lane, data in leaves.items():
            try:
                leaf = calls.decode(data)
            except FormatError:  # lane 0, and NOTEs
                continue
            leaf = self.forge(leaf)
            if leaf.first is None:
                leaf = replace(leaf, chain=calls.chain_hash(self._before[lane]))
            self._before[lane] = made[lane] = leaf.encode()
        return made

    def forge(self, leaf: CallLeaf) -> CallLeaf:
        """The leaf as the operator would have it."""
        raise NotImplementedError


class UnderCounting(Forger):
    """Says of each stream that ten packets fewer came."""

    def forge(self, leaf: CallLeaf) -> CallLeaf:
        fewer = tuple(replace(one, received=max(0, one.received - 10)) for one in leaf.streams)
        return replace(leaf, streams=fewer)


class EndingEarly(Forger):
    """Says at the end that the call had two seconds fewer."""

    def forge(self, leaf: CallLeaf) -> CallLeaf:
        if leaf.last is None:
            return leaf
        return replace(leaf, last=replace(leaf.last, segments=leaf.last.segments - 2))


class Twinning(Forger):
    """Puts another recording of the call, of one number with it, into another lane."""

    def forge(self, leaf: CallLeaf) -> CallLeaf:
        return leaf

    def _forged(self, leaves: Mapping[int, bytes]) -> dict[int, bytes]:
        made = super()._forged(leaves)
        for lane, data in list(made.items()):
            leaf = calls.decode(data)
            other = lane + 1 if lane + 1 < slottree.LANES else 1
            twin = replace(leaf, lane=other, segment_root=sha256(b"other words" + leaf.segment_root))
            if leaf.first is not None:
                twin = replace(twin, first=replace(leaf.first, handle=sha256(b"twin")))
            else:
                twin = replace(twin, chain=calls.chain_hash(self._before[other]))
            self._before[other] = made[other] = twin.encode()
            said = slottree.decode_slot_leaf(leaves[0])
            made[0] = replace(said, calls=said.calls + 1).encode()
        return made


class UnderCounter(Sealer):
    sequencing: ClassVar[type[Sequencer]] = UnderCounting


class EarlyEnder(Sealer):
    sequencing: ClassVar[type[Sequencer]] = EndingEarly


class Twinner(Sealer):
    sequencing: ClassVar[type[Sequencer]] = Twinning


class CallStage:
    """A recorder that records one call of six seconds, and seals it by `sealing`."""

    def __init__(self, root: Path, sealing: type[Sealer] = Sealer) -> None:
        self.home = StageHome(root)
        self.clock = ManualClock(BEGIN)
        self.config = init_home(self.home, template(ORIGIN, period=PERIOD), self.clock)
        make_dirs(self.home.run)
        self._journal = JournalWriter(
            self.home, self.clock, sha256(b"instance")[:16], sha256(b"key"), Log(self.clock, io.StringIO())
        )
        self._sealer = sealing(self.home, self.clock)
        try:
            self._record()
        finally:
            self._journal.close()
            self._sealer.close()
        Keeper(self.home, self.config.origin, self.clock).keep_done()
        self._archive = Archive(self.home, self.config, self.clock)

    def _say(self, type_: str, *attachments: bytes, **facts: object) -> None:
        now = {"wall": str(self.clock.wall_ns()), "mono": str(self.clock.monotonic_ns())}
        self._journal.control({"type": type_, **now, **facts}, attachments)

    def _record(self) -> None:
        custodians = read_bytes(self.home.custodians)
        parts = config_parts(self.config, load_keys(self.home.keys), custodians)
        self._say("start", instance=self._journal.instance.hex(), pid=1, listen=[], config=parts)
        self._sweeps(1, first=None)
        self._say("call", INVITE, **CALL)
        for second in range(SECONDS):
            self._sweeps(1, first=50 * second)
        self._say("end", BYE, key="stage", cause=1, who=1, drops={})
        self._sweeps(2 * PERIOD, first=None)

    def _sweeps(self, seconds: int, first: int | None) -> None:
        """Ten sweeps a second, each of five packets from `first` on, or of none; sealing after each."""
        for n in range(10 * seconds):
            self.clock.advance(SWEEP_NS)
            wall, mono = self.clock.wall_ns(), self.clock.monotonic_ns()
            if first is not None:
                self._journal.media(_sweep(wall, mono, first + 5 * n))
            self._journal.tick(wall, mono, wall)
            while self._sealer.step():
                pass

    def bundle(self) -> Shown:
        """What the stand-alone verifier says of the call's bundle."""
        path = self._archive.bundle_path(1)
        report = run_verifier(path, self._archive.vkeys)
        codes = sorted({one["code"] for one in report["findings"] if one["severity"] == "error"})
        return Shown(FOUND if codes else WHOLE, report["headline"], tuple(codes))

    def structure(self) -> Shown:
        """What an overseer is told who has the structure of all slots, and nothing of what was said."""
        keys = load_keys(self.home.keys)
        public, private = make_overseer("overseer", self.home.root)
        feed = StructureFeed(self.home, keys, read_overseer(public), self.home.root / "feed")
        feed.advance(finish=True)
        files = open_files(structure_files([self.home.root / "feed"], (".mctx",)), read_secret(private))
        report = verify_structure(files, self.home.log, Trust(keys.vkeys(self.config.origin)))
        return Shown(FOUND if report.counts else WHOLE, report.headline, tuple(sorted(report.counts)))


CALL: dict[str, object] = {
    "key": "stage",
    "handle": sha256(b"handle").hex(),
    "mode": "siprec",
    "line": "all",
    "transport": "udp",
    "local": "127.0.0.1:5060",
    "remote": "127.0.0.1:5070",
    "source_ids": {"call_id": "stage"},
    "parties": [{"id": "p", "name": "A", "aor": "sip:a@stage.example", "label": "0", "role": ""}],
    "streams": [
        {
            "stream": 0,
            "handle": 2,
            "rtcp_handle": 3,
            "mline": 0,
            "label": "0",
            "port": 20000,
            "codecs": [{"pt": 0, "name": "PCMU", "rate": 8000, "channels": 1}],
            "direction": "recvonly",
            "participant": "p",
        }
    ],
    "oddities": [],
}


def _sweep(wall: int, mono: int, first: int) -> Sweep:
    """Five packets of 20 ms of G.711, numbered from `first`, that came in the last 100 ms."""
    packets = [
        struct.pack(">HHII", 0x8000, n, 160 * n, 1) + sha256(bytes([n & 255])) * 5
        for n in range(first, first + 5)
    ]
    return Sweep(
        wall,
        mono,
        wall,
        np.full(5, 2, np.uint32),
        np.array([wall - (5 - n) * SWEEP_NS // 5 for n in range(5)], np.int64),
        np.array([len(packet) for packet in packets], np.uint16),
        np.frombuffer(b"".join(packets), np.uint8),
        [],
    )
