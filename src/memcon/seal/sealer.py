"""The sealer: reads journals, keeps the calls, closes slots, and takes up again where a crash cut it.

What is sealed follows from the journal alone, in its order. After a start the journal is read from
its oldest file: slots whose beat is in the log are made again and compared with their slot record;
from the first slot after them on, new beats are made. There is no other recovery.

When a slot closes
    - at the first tick whose watermark has reached the slot's end: the ordinary way;
    - at a `stop` record: the calls' last leaves and the off statement go into one beat of state 4,
      in the slot of the stop;
    - by the clock, when no tick has come: one period after the slot's end while an instance exists
      that has not stopped (state 2, and each open call has a leaf that says that nothing new is
      known), at once where none exists (state 4 after genesis or a stop: still declared off; 2
      after an instance that went without a word). Slots missed that way are missing for good.

An instance that goes on with the calls of the one before says so before its first tick, in a `carry`
record for each; those that it has not named by then end with the journal of the one before, as failed.
Slots that ended between the two get their leaves at that tick, in state 2, saying nothing new.

A beat is in state 1 where the instance ran from the slot's start and no `host` record speaks of trouble
in it, otherwise 2. Leaves and beats made
later than one period after their slot's end carry the late flag. A difference between the clocks
that jumps by more than half a second is a clock step: the beats it skips are made at once, flagged.
"""

from __future__ import annotations

import heapq
import json
import os
from typing import TYPE_CHECKING, ClassVar

from memcon.errors import FormatError
from memcon.record import beat, call, canonical, journal
from memcon.record.config import PARTS, commit_parts, config_root
from memcon.record.hashing import ZERO32
from memcon.record.segment import NS
from memcon.record.slottree import NoteLeaf, SlotLeaf
from memcon.record.statement import Off
from memcon.seal import controls, slots_file
from memcon.seal.call_state import CAUSE_STOPPED, WHO_RECORDER, close_segments
from memcon.seal.desk import Desk
from memcon.seal.feed import Feed
from memcon.seal.figures import Figures
from memcon.seal.freshness import Freshness, read_round
from memcon.seal.held import Held, unlock_here
from memcon.seal.instance import FAR_NS, Instance
from memcon.seal.keys import load_keys
from memcon.seal.notes import NoteQueue
from memcon.seal.reopening import Reopening
from memcon.seal.retention import JournalFiles
from memcon.seal.segmenter import Segmenter
from memcon.seal.sequencer import Sequencer, free_lane, note_name
from memcon.seal.streams import Streams
from memcon.seal.switch import Switchboard
from memcon.seal.waiting import Waiting
from memcon.store import durable
from memcon.store.journal_reader import Finding, JournalReader

if TYPE_CHECKING:
    from memcon.clock import Clock
    from memcon.record.slottree import SlotRecord
    from memcon.seal.call_state import Call
    from memcon.store.journal_reader import Frame
    from memcon.store.paths import Home

STEP_NS = NS // 2
MAX_CATCH_UP = 8640
"""Slots closed at one tick at most: a day of 10 s. A clock that jumps by more leaves slots missing."""
MAX_FINDINGS = 1000
MAX_CALLS = 60_000
"""Calls in one slot; more wait for a lane. The machine's ports end long before."""
DECLARE_NS = 10 * NS
GAP_NS = 7 * 24 * 3600 * NS


class Sealer:
    """Seals everything a home's journals say. One at a time for a home; `step` until it has nothing to do.

    An error of the machine (MachineError, OSError: the disk) ends this sealer: make a new one, which takes
    up what is on the disk.
    """

    sequencing: ClassVar[type[Sequencer]] = Sequencer
    """Makes the beats. Attacks on a stage put one there that lies (`service.inside`)."""

    def __init__(self, home: Home, clock: Clock, *, witnessed: bool = False) -> None:
        """With `witnessed`, beats name quorum-cosigned notes, and the first waits for a fresh one."""
        self._home = home
        self._clock = clock
        self._keys = load_keys(home.keys)
        durable.make_dirs(home.run)
        unlock_here(home)
        self.findings: list[Finding] = []
        self.feed = Feed(home)
        self._sequencer = self.sequencing(home, self._keys, clock)
        period, b = self._sequencer.period_ns, self._sequencer.b
        self._freshness = Freshness(home.newest_note, clock, period_ns=period, b=b) if witnessed else None
        self._reader = JournalReader(home)
        self._reader.scan()
        since = min((i.started for i in self._reader.instances), default=clock.wall_ns())
        size = self._sequencer.next_index
        self._known = self._sequencer.slots.load(size, since)
        self._held = Held(home, self._known.open)
        last = self._known.last
        self._notes = NoteQueue(home, last.next_note if last else 1)
        self._drop_before(since)
        self._config_root = self._seen_root()
        self._config: dict[str, bytes] = {}
        self._streams = Streams()
        self._waiting = Waiting(self._streams)
        self._desk = Desk(home, self._known, self.feed, self.findings, self._streams, self._waiting)
        self._desk.forget_orphans()
        self._sealed_calls = last.next_call if last else 1
        self._files = JournalFiles(home, self._reader)
        self._instance: Instance | None = None
        self._before: Instance | None = None
        """The instance before, until the first tick of its successor."""
        self._since = clock.wall_ns()
        self._due: list[tuple[int, int]] = []
        store = self._sequencer.store
        self.switch = Switchboard(home, self._sequencer.origin, self._keys.structure, store.add_statement)
        self._reopening = Reopening(self._sequencer, self.switch)
        self._figures = Figures()
        self.timings: list[int] = []
        """Monotonic ns from beat made to checkpoint published, of the latest beats."""

    def _drop_before(self, wall: int) -> None:
        """Slots that ended before the journal begins are not made again."""
        records = self._known.records
        while records and (records[0].slot + 1) * self._sequencer.period_ns <= wall:
            self._notes.seen(records.popleft().leaves)

    def _seen_root(self) -> bytes:
        """The configuration root of the beat before the first slot to be made again."""
        records = self._known.records
        index = records[0].index if records else self._sequencer.next_index
        return self._sequencer.beat_at(max(0, index - 1)).config_root

    # ------------------------------------------------------------------ the loop

    def step(self, *, stopping: bool = False) -> bool:
        """Read one frame, or do what the clock asks for; False where there was nothing to do.

        `stopping`: what the journal says is still sealed, and nothing is said that it does not say.
        Raises MachineError where the disk refuses.
        """
        did = self._read_one() or (not stopping and self._by_clock()) or self.switch.look()
        self._take_findings()
        self._handed_over(self._desk.collect(idle=not did))
        if not did:
            self._files.delete_sealed()
            if not stopping and not len(self._held):
                self._files.trim()
        self.feed.flush()
        return did or self._desk.finishing

    def _handed_over(self, numbers: list[int]) -> None:
        for number in numbers:
            self._files.sealed(number)

    def close(self) -> None:
        """Close the files, after the calls that are being handed over; nothing is sealed by it."""
        self._handed_over(self._desk.close())
        self.feed.flush()
        self._files.close()
        self._reader.close()
        self._sequencer.close()

    @property
    def last_beat(self) -> beat.Beat:
        return self._sequencer.last

    @property
    def open_calls(self) -> int:
        return len(self._desk.open)

    @property
    def held_calls(self) -> tuple[int, ...]:
        """Calls that wait for a custodian, once all journals have been read."""
        return self._held.numbers

    def _read_one(self) -> bool:
        frame = self._reader.read()
        if frame is None:
            self._reader.scan()
            self._held.keep_wraps(self._reader.instances, self._desk.custodians)
            frame = self._reader.read()
        if frame is not None:
            self.feed_frame(frame)
            return True
        if self._reader.current is not None and self._reader.superseded:
            self._instance_over()
            return True
        self._held.certain = True
        return False

    def _instance_over(self) -> None:
        """A later instance stands behind this one, and all of this one is read."""
        torn, instance = self._reader.at_torn_end(), self._instance
        if torn:
            self.findings.append(Finding("journal", f"{torn} bytes of a frame that a crash cut off"))
        self._before = instance or self._before
        self._instance = None
        self._reader.next_instance()

    def _settle_before(self, instance: Instance) -> None:
        """At its first tick: what the instance before has left and this one has not taken up is over."""
        if instance.begun:
            return
        instance.begun = True
        before, self._before = self._before, None
        tick = before.tick if before is not None else None
        if tick is not None:
            self._desk.end_uncarried(tick.watermark, tick.watermark - tick.wall + tick.mono)
        else:
            self._desk.end_uncarried(before.started if before is not None else 0, 0)

    def _take_findings(self) -> None:
        self.findings += self._reader.findings
        self._reader.findings.clear()
        del self.findings[:-MAX_FINDINGS]

    # ------------------------------------------------------------------ records

    def feed_frame(self, frame: Frame) -> None:
        """Take the records of one frame, in order. What is wrong with them becomes a finding."""
        instance = self._instance
        if instance is None or instance.id != frame.instance:
            instance = self._begin(frame.instance)
        self._files.reading(frame.instance, frame.file_number, self._desk.open)
        where = f"frame {frame.number} of {frame.instance.hex()}"
        try:
            for record in journal.decode_records(frame.plaintext):
                self._record(instance, record, where)
        except FormatError as error:
            self.findings.append(Finding(where, str(error)))

    def _begin(self, id_: bytes) -> Instance:
        current = self._reader.current
        started, partial = (current.started, not current.complete) if current else (0, False)
        segmenter = Segmenter(self._streams, self._waiting)
        instance = self._instance = Instance(id_, started, segmenter)
        self._desk.begin_instance(instance.segmenter, partial=partial)
        self._due = []
        self.feed.tell("instance", instance=id_.hex(), wall=started)
        if partial:
            self._config_root = self._sequencer.last.config_root
            self._config = self._notes.config_of(self._config_root)
        return instance

    def _record(self, instance: Instance, record: object, where: str) -> None:
        """One record; what it says wrongly is a finding, and an oddity of the call it names."""
        try:
            if isinstance(record, journal.Media):
                self._media(instance, record, where)
            elif isinstance(record, journal.Tick):
                self._tick(instance, record)
            elif isinstance(record, journal.Stop):
                self._stop(instance, record)
            elif isinstance(record, journal.Control):
                self._control(instance, record)
        except FormatError as error:
            self.findings.append(Finding(where, str(error)))
            if isinstance(record, journal.Control):
                self._desk.note_oddity(record, str(error))

    def _media(self, instance: Instance, media: journal.Media, where: str) -> None:
        segmenter = instance.segmenter
        segmenter.feed(media)
        if segmenter.strangers:
            if not self._desk.partial:
                names = ", ".join(str(h) for h in sorted(segmenter.strangers)[:8])
                self.findings.append(Finding(where, f"packets of unknown media handles {names}"))
            segmenter.ignore(*segmenter.strangers)
            segmenter.strangers.clear()

    def _control(self, instance: Instance, control: journal.Control) -> None:
        kind = controls.Fields(control.facts, "control record").text("type")
        instance.believe(control, kind)
        if kind == "start":
            self._start(control)
            instance.follow(self._before, controls.Fields(control.facts, "start record").text("follows", ""))
            return
        if kind == "carried":  # for a successor of capture: where it may begin to read
            return
        if kind == "switch":
            self.switch.told(control)
            return
        if kind == "host":
            instance.trouble = bool(controls.Fields(control.facts, "host record").text("trouble"))
            instance.troubled |= instance.trouble
            return
        opened = self._desk.control(kind, control)
        self._files.named(instance.id, self._desk.named(kind, control))
        if opened is not None:
            self._held.given(opened.number)
            self._files.opened(instance.id, opened.number)
            heapq.heappush(self._due, (opened.facts.mono + NS, opened.number))

    def _start(self, control: journal.Control) -> None:
        """A new configuration is sealed as a NOTE; its parts are kept, for releases to open."""
        self._reopening.started(control)
        parts = controls.read_config(control)
        if not parts:
            return
        full = {name: parts.get(name, b"null") for name in PARTS}
        root = config_root(commit_parts(self._keys.structure, full))
        self._config = full
        if root != self._config_root:
            self._notes.add_config(root, full)
        self._config_root = root

    # ------------------------------------------------------------------ ticks and slots

    def _tick(self, instance: Instance, tick: journal.Tick) -> None:
        last, before = instance.tick, instance.mono
        if before is not None and not before - FAR_NS <= tick.mono < before + GAP_NS:
            raise FormatError("tick", f"monotonic time {tick.mono} after {before}", where="mono")
        instance.mono = tick.mono
        if last is not None and abs((tick.wall - tick.mono) - (last.wall - last.mono)) > STEP_NS:
            instance.stepped = True
        self._declare(instance.tick, tick)
        instance.tick = tick
        self._settle_before(instance)
        offset = tick.mono - tick.wall
        period = self._sequencer.period_ns
        read_until = instance.segmenter.watermark_mono  # beyond a slot's end only where the clock stepped
        for record in self._known_until(tick.watermark):
            self._close_segments(max((record.slot + 1) * period + offset, read_until))
            self._make_again(record)
            instance.stepped = False  # its beat has said so
        reached = tick.watermark // period
        for slot in self._between(instance, last):
            self._close_slot(slot, state=beat.State.DEGRADED)
        first = max(self._sequencer.last.slot + 1, instance.started // period, reached - MAX_CATCH_UP)
        for slot in range(first, reached):
            end = max((slot + 1) * period + offset, read_until)
            self._close_segments(end)
            self._close_slot(slot, end)
        if reached > first:
            instance.stepped = False  # each beat that the step skipped carries the flag
        segmenter = instance.segmenter
        segmenter.watermark_mono = max(segmenter.watermark_mono, tick.watermark + offset)
        self._close_due(segmenter.watermark_mono)

    def _between(self, instance: Instance, last: journal.Tick | None) -> range:
        """Slots that ended between two instances while we ran, and that the clock has not closed."""
        period = self._sequencer.period_ns
        if last is None or last.watermark >= instance.started:
            return range(0)
        first = max(self._sequencer.last.slot + 1, self._since // period)
        return range(first, instance.started // period)

    def _declare(self, before: journal.Tick | None, tick: journal.Tick) -> None:
        """Every ten seconds, by what the journal says and not by when it is read."""
        if before is not None and before.watermark // DECLARE_NS < tick.watermark // DECLARE_NS:
            self._desk.tell_refused(tick.wall, tick.mono)

    def _known_until(self, wall: int) -> list[SlotRecord]:
        """The slots that the log holds already and that ended by `wall`."""
        found = []
        records = self._known.records
        while records and (records[0].slot + 1) * self._sequencer.period_ns <= wall:
            found.append(records.popleft())
        return found

    def _close_segments(self, mono: int) -> None:
        """Close the segments of all open calls that ended by `mono`."""
        running = [opened for opened in self._desk.open.values() if opened.ending is None]
        close_segments([(c, (mono - c.facts.mono) // NS) for c in running], self._waiting)

    def _close_due(self, mono: int) -> None:
        """Close segments whose second is over: a tenth of all calls at each tick."""
        due = []
        while self._due and self._due[0][0] <= mono:
            _, number = heapq.heappop(self._due)
            opened = self._desk.open.get(number)
            if opened is not None and opened.ending is None:
                count = (mono - opened.facts.mono) // NS
                due.append((opened, count))
                next_end = max(count, opened.next_segment) + 1
                heapq.heappush(self._due, (opened.facts.mono + next_end * NS, number))
        close_segments(due, self._waiting)

    def _stop(self, instance: Instance, stop: journal.Stop) -> None:
        """A clean end: last leaves and the off statement, in one beat of state 4."""
        f = controls.Fields(stop.facts, "stop record")
        tick = instance.tick
        wall = f.time("wall") if "wall" in stop.facts else tick.wall if tick else instance.started
        mono = tick.mono if tick else 0
        if "mono" in stop.facts and abs(f.time("mono") - mono) <= FAR_NS:
            mono = f.time("mono")
        instance.stopped = True
        self._settle_before(instance)
        self._desk.end_all(CAUSE_STOPPED, WHO_RECORDER, wall, mono)
        by, how, reason = (f.text(key, "") for key in ("by", "how", "reason"))
        self.feed.tell("off", wall=wall, by=by, reason=reason)
        if self._known.records:
            self._make_again(self._known.records.popleft())
            return
        slot = max(wall // self._sequencer.period_ns, self._sequencer.last.slot + 1)
        lines = tuple(str(line) for line in f.list("lines"))
        statement = Off(self._sequencer.origin, slot, by, how, reason, lines).encode()
        digest = self._sequencer.store.add_statement(statement)
        self._close_slot(slot, final=True, state=beat.State.OFF, statement=digest)

    def _by_clock(self) -> bool:
        """What no tick says: slots without a recorder, and slots that it failed to close in time."""
        if self._known.records:
            self._make_again(self._known.records.popleft())
            return True
        period, now = self._sequencer.period_ns, self._clock.wall_ns()
        running = self._instance is not None and not self._instance.stopped
        if running and self._ticks():
            return False
        slot = now // period - (2 if running else 1)
        if running and self._instance is not None and self._instance.started // period > slot:
            return False
        if slot <= self._sequencer.last.slot:
            return False
        declared = not running and (
            self._instance is not None or self._sequencer.last.state == beat.State.OFF
        )
        self._close_slot(slot, state=beat.State.OFF if declared else beat.State.DEGRADED)
        return True

    def _ticks(self) -> bool:
        """Whether a tick came of late, by the clock that does not step: then ticks close the slots. Where the
        wall clock is stepped forward we see it before the journal tells us, and would pass over slots."""
        tick = None if self._instance is None else self._instance.tick
        return (
            tick is not None and 0 <= self._clock.monotonic_ns() - tick.mono < self._sequencer.period_ns // 2
        )

    # ------------------------------------------------------------------ one slot

    def _in_slot(self, slot_end: int | None, *, final: bool) -> list[Call]:
        """The calls that have a leaf in a slot. New ones come in the order of their numbers, without gap."""
        found: list[Call] = []
        for opened in self._desk.open.values():
            if not opened.has_leaf:
                begun = final or (slot_end is not None and opened.facts.mono < slot_end)
                if not begun or len(found) >= MAX_CALLS:
                    break
            found.append(opened)
        return found

    def _close_slot(
        self,
        slot: int,
        slot_end: int | None = None,
        *,
        final: bool = False,
        state: beat.State | None = None,
        statement: bytes = ZERO32,
    ) -> None:
        """Leaves for every call, the slot record, the beat; `slot_end` monotonic ns, None: nothing new."""
        index, period = self._sequencer.next_index, self._sequencer.period_ns
        frozen = slot_end is None and not final
        instance = self._instance
        stepped = instance is not None and instance.stepped
        late = self._clock.wall_ns() > (slot + 2) * period
        # A frozen leaf has fewer segments than its slot's end asks for: the rest is sealed late.
        flags = (call.FLAG_LATE if late or frozen else 0) | (call.FLAG_CLOCK_STEP if stepped else 0)
        here = self._in_slot(slot_end, final=final)
        leaves: dict[int, bytes] = {0: b""}
        leaves |= {c.lane: b"" for c in here if c.has_leaf}
        leaves |= self._held.leaves(slot, index, flags)
        if not all(c.has_leaf for c in here):
            self._desk.sync_starts()
        for opened in here:
            if not opened.has_leaf:
                opened.lane = free_lane(self._keys.structure, opened.facts.handle, leaves)
                self._sealed_calls = opened.number + 1
            own = flags | (call.FLAG_RECOVERED if opened.recovered else 0)
            own |= call.FLAG_LATE if opened.behind(slot * period - NS) else 0
            leaves[opened.lane] = opened.make_leaf(slot, index, own, slot_end, frozen=frozen, final=final)
        notes, calls = self._place_notes(slot, index, leaves), len(here) + len(self._held)
        slot_leaf = SlotLeaf(slot, index, self._sealed_calls, self._notes.next, calls, len(notes))
        leaves[0] = slot_leaf.encode()
        ran = instance is not None and instance.started <= slot * period and not instance.troubled
        fresh = self._freshness.note_for(slot, index, wait=not final) if self._freshness else (ZERO32, 0)
        round_ = read_round(self._home.newest_round)
        off = self.switch.states.during(slot * period, (slot + 1) * period)
        state = max(state or self._state(ran=ran), off)
        statement = self.switch.statement_for(slot) if statement == ZERO32 else statement
        published = self._sequencer.publish(
            slot,
            leaves,
            state=state,
            flags=(beat.FLAG_LATE_BACKLOG if late else 0) | (beat.FLAG_CLOCK_STEP if stepped else 0),
            instance=instance.id if instance else bytes(16),
            config_root=self._config_root,
            statement=self._reopening.statement(slot, state, statement),
            note=fresh,
            drand=(round_.number, round_.digest),
        )
        if instance is not None:
            instance.troubled = instance.trouble
        self._notes.sealed()
        self.switch.published(index)
        self.feed.notes(notes)
        self.feed.beat(published.beat, published.made, published.published, self._desk.open.values())
        self.timings = [*self.timings[-999:], published.elapsed]
        self._figures.beat(published.published - (slot + 1) * period, published.elapsed)
        for opened in here:
            salt, path = published.tree.salt(opened.lane), published.tree.path(opened.lane)
            opened.place_leaf(leaves[opened.lane], index, slot, salt, path)
        self._settle(here)
        self.say()

    def _state(self, *, ran: bool) -> beat.State:
        """Of an ordinary beat: a machine without lines seals what it is given, and records nothing."""
        if self._config.get("lines") == b"[]":
            return beat.State.OFF
        return beat.State.RECORDING if ran else beat.State.DEGRADED

    def _place_notes(self, slot: int, index: int, leaves: dict[int, bytes]) -> list[NoteLeaf]:
        placed = []
        for number, type_, digest in self._notes.take():
            lane = free_lane(self._keys.structure, note_name(number), leaves)
            note = NoteLeaf(type_, lane, number, slot, index, digest)
            leaves[lane] = note.encode()
            placed.append(note)
        return placed

    def _settle(self, here: list[Call]) -> None:
        """After the checkpoint stands: work files, and the calls that are over."""
        for opened in here:
            if opened.complete:
                self._figures.ended(opened)
                ending = opened.ending
                if ending is not None:
                    self.feed.tell(
                        "end",
                        number=opened.number,
                        wall=ending.wall,
                        duration=ending.duration,
                        segments=opened.next_segment,
                        cause=ending.cause,
                        who=ending.who,
                    )
                self._desk.finish(opened, self._record_extra())
            else:
                opened.flush()

    def _record_extra(self) -> dict[str, canonical.Json]:
        return {
            "origin": self._sequencer.origin,
            "period_ms": self._sequencer.period_ms,
            "config": {name: part.decode("utf-8") for name, part in self._config.items()},
        }

    def _make_again(self, record: SlotRecord) -> None:
        """A slot that the log holds: give the calls their leaves once more and compare."""
        tree = self._sequencer.tree(record.index, record.slot, record.leaves)
        here = []
        for number, (lane, leaf) in slots_file.calls_in(record.leaves).items():
            opened = self._desk.open.get(number)
            if opened is None:
                continue
            opened.lane = lane
            if not opened.make_again(leaf):
                text = f"slot {record.slot} reads otherwise in the log"
                self.findings.append(Finding(f"call {number}", text))
            opened.place_leaf(leaf, record.index, record.slot, tree.salt(lane), tree.path(lane))
            here.append(opened)
        self._notes.seen(record.leaves)
        self._seen(record.index)
        self._settle(here)

    def _seen(self, index: int) -> None:
        if self._instance is None:
            self._config_root = self._sequencer.beat_at(index).config_root

    # ------------------------------------------------------------------ telling

    def say(self) -> None:
        """Write `seal.json`: what this process says of itself, for the office and for people."""
        last = self._sequencer.last
        status = {
            "off": self.switch.status(),
            "pid": os.getpid(),
            "wall": self._clock.wall_ns(),
            "trouble": None,
            "index": last.index,
            "slot": last.slot,
            "state": int(last.state),
            "instance": last.instance.hex(),
            "open": len(self._desk.open),
            "locked": list(self.held_calls),
            "next_call": self._desk.next_call,
            "next_note": self._notes.next,
            "figures": self._figures.to_json(self._desk.open.values()),
            "publish_ns": self.timings[-1] if self.timings else None,
            "findings": [{"where": f.where, "text": f.text} for f in self.findings[-20:]],
        }
        durable.write_file(self._home.status("seal"), json.dumps(status).encode(), durable=False)
