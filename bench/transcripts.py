"""Word error rate, word times, invented words and speed of transcription, beside one plain decode per file.

    python bench/transcripts.py FOLDER [--model tiny.en] [--beam 1] [--only clean,live] [--half 0|1] [--json]

FOLDER holds `<name>.wav` (mono, 16 bit, 16 kHz) with `<name>.txt`; text is compared after Whisper's English
normaliser (`whisper-normalizer`). The peer is one `faster_whisper` decode of each whole
file, the same model and beam, in the same run. Word starts are compared with a forced alignment of the
reference text by `pocketsphinx`, for files all of whose words its dictionary has.

    clean, telephone     what `memcon transcribe` keeps: whole channels
    loss                 telephone with 5 % of packets lost, concealed as memcon does
    zeros                the same, left as silence: what concealment is worth
    live                 clean, a fifth of a second at a time, as a call that is going on: what it comes to,
                         what was written first, and how late that was
    calls                two-party calls at once, 45 % speech a side, on the clock of a core that does nothing
                         else (the CPU time of each step), careful readings beside: how busy it is, how late
                         text is; words, and words of the same sound transcribed as a whole: with too many
                         calls text is later, not less
    times                word starts against the alignment
    silence              ten minutes each of digital silence, hold tones, line noise
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import time
import wave
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from whisper_normalizer.english import EnglishTextNormalizer

from memcon.record.transcript import text_of
from memcon.transcribe.frames import RATE
from memcon.transcribe.lane import Channel, Wishes, transcribe_lane
from memcon.transcribe.live import LiveLane
from memcon.transcribe.sound import at_rate
from memcon.transcribe.whisper import load_engine

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.telephone import RATE as TELEPHONE_RATE  # found by what stands above
from bench.telephone import lost_packets, telephone, without

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from memcon.record.transcript import Lane, Word
    from memcon.transcribe.frames import Samples
    from memcon.transcribe.whisper import WhisperEngine

LOSS = 0.05
PIECE = RATE // 5
"""Samples that the listening process takes in at once (`live_call.STEP_MS`)."""
SHARE = 29 / 110
"""What a thread of niceness 16 gets beside one of niceness 10 (Linux, sched_prio_to_weight)."""
LAG_S = 0.25
"""From the end of a piece to its being there: a sweep of capture, the hold-back, a look."""
Figures: TypeAlias = "dict[str, Any]"
KINDS = ("clean", "telephone", "loss", "zeros", "live", "calls", "times", "silence")
normal = EnglishTextNormalizer()


class Aligner(Protocol):
    """What is used of `pocketsphinx.Decoder`."""

    def lookup_word(self, word: str) -> str | None: ...
    def set_align_text(self, text: str) -> None: ...
    def start_utt(self) -> None: ...
    def process_raw(self, data: bytes, *, no_search: bool, full_utt: bool) -> int: ...
    def end_utt(self) -> None: ...
    def seg(self) -> Iterable[Any]: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One file: int16 at 16 kHz, and what is said in it."""

    name: str
    samples: NDArray[np.int16]
    text: str


def samples_of(folder: Path, half: int | None) -> list[Sample]:
    """The files of a folder in order; with `half`, every second one."""
    found = []
    for path in sorted(folder.glob("*.wav")):
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2), path
            data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        found.append(Sample(path.stem, data, path.with_suffix(".txt").read_text(encoding="utf-8")))
    return found if half is None else found[half::2]


def errors(reference: str, said: str) -> tuple[int, int]:
    """(wrong, missing and added words, words of the reference)."""
    want, got = normal(reference).split(), normal(said).split()
    row = list(range(len(got) + 1))
    for i, word in enumerate(want, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1], len(want)


def said_of(lane: Lane) -> str:
    return text_of(lane.words())


def rate_of(samples: list[Sample], say: Callable[[Sample], str]) -> dict[str, Any]:
    """Word error rate in percent over all words, and seconds of work for a second of sound."""
    began = time.perf_counter()
    counts = [errors(one.text, say(one)) for one in samples]
    seconds = sum(len(one.samples) for one in samples) / RATE
    wrong, words = sum(a for a, _ in counts), sum(b for _, b in counts)
    return {
        "wer": round(100 * wrong / words, 2),
        "wrong": wrong,
        "words": words,
        "rtf": round((time.perf_counter() - began) / seconds, 3),
    }


def plain(engine: WhisperEngine, beam: int) -> Callable[[NDArray[np.int16], int], str]:
    """The peer: one decode of a whole file, nothing of memcon around it."""

    def decode(samples: NDArray[np.int16], rate: int) -> str:
        segments, _ = engine.whisper.transcribe(
            at_rate(samples, rate), language="en", beam_size=beam, temperature=0.0,
            condition_on_previous_text=False,
        )  # fmt: skip
        return " ".join(str(segment.text) for segment in segments)

    return decode


def channel_of(kind: str, one: Sample, seed: int) -> Channel:
    """A file as the channel of a call, in one of the conditions."""
    if kind == "clean":
        return Channel("A", one.samples, RATE, language="en")
    phone = telephone(one.samples, RATE)
    if kind == "telephone":
        return Channel("A", phone, TELEPHONE_RATE, language="en")
    lost = lost_packets(len(phone) * 1000 // TELEPHONE_RATE, LOSS, seed)
    channel = Channel("A", without(phone, lost, TELEPHONE_RATE), TELEPHONE_RATE, lost=lost, language="en")
    return channel if kind == "loss" else replace(channel, lost=())


def live(one: Sample, engine: WhisperEngine, late: list[float]) -> tuple[str, str]:
    """A file as a live channel, piece by piece: what was written first, and what it came to.

    `late` gets how long after the end of each utterance its text was there, in seconds, with decodes as long
    as they took of the processor; careful ones are done beside.
    """
    lane, ready = LiveLane("en"), 0.0
    first: list[str] = []
    sound = at_rate(one.samples, RATE)

    def decode() -> None:
        nonlocal ready
        while (due := lane.due()) is not None:
            began = time.process_time()
            new = lane.hear(due, engine, Wishes())
            if not due.settles:
                ready += time.process_time() - began
                first.extend(text_of(utterance.words) for utterance in new)
                late.extend(ready - utterance.end / 1000 for utterance in new)

    for at in range(0, len(sound) + 2 * RATE, PIECE):
        piece = sound[at : at + PIECE]
        lane.append(np.pad(piece, (0, PIECE - len(piece))))
        ready = max(ready, (at + PIECE) / RATE + LAG_S)
        decode()
    lane.close()
    decode()
    return " ".join(first), " ".join(text_of(utterance.words) for utterance in lane.utterances)


def _plain_words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower().replace("’", "'"))


def aligned(one: Sample, decoder: Aligner) -> list[tuple[str, int]] | None:
    """(word, start in ms) by forced alignment; None where the dictionary lacks a word."""
    words = _plain_words(one.text)
    if not words or any(decoder.lookup_word(word) is None for word in words):
        return None
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw(one.samples.tobytes(), no_search=False, full_utt=True)
    decoder.end_utt()
    found = [(re.sub(r"\(\d+\)$", "", seg.word), seg.start_frame * 10) for seg in decoder.seg()]
    return [(word, at) for word, at in found if not word.startswith(("<", "["))]


def starts(lane: Lane, reference: list[tuple[str, int]]) -> Iterator[int]:
    """How much later than the reference (ms) each word begins that both have."""
    ours: list[tuple[str, Word]] = [("".join(_plain_words(w.text)), w) for w in lane.words()]
    matcher = SequenceMatcher(None, [w for w, _ in ours], [w for w, _ in reference], autojunk=False)
    for block in matcher.get_matching_blocks():
        for k in range(block.size):
            yield ours[block.a + k][1].start - reference[block.b + k][1]


def times(samples: list[Sample], engine: WhisperEngine) -> dict[str, Any]:
    """Errors of word starts in ms."""
    import pocketsphinx

    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL", beam=1e-120, wbeam=1e-120, pbeam=1e-120)
    found: list[int] = []
    used = 0
    for one in samples:
        reference = aligned(one, decoder)
        if reference is not None:
            used += 1
            found += starts(transcribe_lane(channel_of("clean", one, 0), engine, Wishes()), reference)
    off = sorted(abs(ms) for ms in found)
    return {
        "files": used,
        "words": len(off),
        "bias_ms": statistics.median(found),
        "median_ms": statistics.median(off),
        "p90_ms": off[int(len(off) * 0.9)],
        "within_250_ms": round(100 * sum(ms <= 250 for ms in off) / len(off), 1),
    }


def noises(seconds: int) -> Iterator[tuple[str, NDArray[np.int16]]]:
    """Sounds that nobody speaks, at 8 kHz."""
    rng = np.random.default_rng(1)
    t = np.arange(seconds * TELEPHONE_RATE) / TELEPHONE_RATE

    def int16(x: NDArray[Any]) -> NDArray[np.int16]:
        samples: NDArray[np.int16] = np.clip(np.rint(x * 32767), -32768, 32767).astype(np.int16)
        return samples

    yield "digital silence", np.zeros(len(t), dtype=np.int16)
    yield "hold tone", int16(0.2 * np.sin(2 * np.pi * 440 * t) * (t % 5 < 1))
    dial = 0.1 * (np.sin(2 * np.pi * 350 * t) + np.sin(2 * np.pi * 440 * t))
    yield "dial tone", int16(dial)
    ringing = 0.1 * (np.sin(2 * np.pi * 440 * t) + np.sin(2 * np.pi * 480 * t)) * (t % 6 < 2)
    yield "ringing", int16(ringing)
    hum = 0.02 * np.sin(2 * np.pi * 50 * t) + 0.01 * np.sin(2 * np.pi * 150 * t)
    swelling = 0.004 * (1 + 0.5 * np.sin(2 * np.pi * t / 20))
    clicks = (rng.random(len(t)) < 1 / TELEPHONE_RATE) * rng.normal(0, 0.3, len(t))
    yield "line noise", telephone_noise(int16(hum + swelling * rng.normal(0, 1, len(t)) + clicks))
    yield (
        "crackling line",
        telephone_noise(int16(0.02 * rng.normal(0, 1, len(t)) * (rng.random(len(t)) < 0.3))),
    )


def telephone_noise(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """8 kHz noise through the telephone filter."""
    return telephone(np.repeat(samples, 2), RATE)


def silence(engine: WhisperEngine, seconds: int) -> dict[str, Any]:
    """Words written for sounds that nobody speaks: there must be none; and what the sound was called."""
    found: dict[str, Any] = {}
    for name, samples in noises(seconds):
        lane = transcribe_lane(Channel("A", samples, TELEPHONE_RATE, language="en"), engine, Wishes())
        flags = sorted({stretch.what for stretch in lane.stretches})
        found[name] = {"words": len(lane.words()), "said": said_of(lane)[:100], "flagged": flags}
    return found


def live_figures(samples: list[Sample], engine: WhisperEngine) -> Figures:
    """Word error rates of the first text and of what it came to, and how late the first was, in s."""
    late: list[float] = []
    said = {}

    def settled(one: Sample) -> str:
        said[one.name], text = live(one, engine, late)
        return text

    figures = rate_of(samples, settled)
    first = rate_of(samples, lambda one: said[one.name])
    late.sort()
    most = {
        "late_median_s": late[len(late) // 2],
        "late_p95_s": late[len(late) * 95 // 100],
        "late_most_s": late[-1],
    }
    return figures | {"first_wer": first["wer"]} | {name: round(value, 2) for name, value in most.items()}


def talk(samples: list[Sample], seed: int, seconds: int) -> Samples:
    """A party of a call: files in a drawn order, pauses between them, 45 % of the time speech."""
    chance = random.Random(seed)
    parts: list[Samples] = []
    while sum(map(len, parts)) < seconds * RATE:
        sound = at_rate(chance.choice(samples).samples, RATE)
        parts += [sound, np.zeros(int(len(sound) * 0.55 / 0.45), dtype=np.float32)]
    return np.concatenate(parts)[: seconds * RATE]


def calls(samples: list[Sample], engine: WhisperEngine, asked: argparse.Namespace) -> Figures:
    """So many calls at once; the clock is that of a core which does nothing else.

    Careful readings are done beside, with the share of that core that the kernel gives to their priority:
    what they cost stands in `beside`, is worked off while nothing else is due, and slows it by `SHARE`.
    """
    seconds = asked.call_seconds
    sides = [talk(samples, n, seconds) for n in range(2 * asked.calls)]
    lanes = [LiveLane("en") for _ in sides]
    late: list[float] = []
    now, busy, beside, come = 0.0, 0.0, 0.0, 0
    while True:
        began = time.process_time()
        while come < seconds * RATE and now >= (come + PIECE) / RATE + LAG_S:
            for lane, side in zip(lanes, sides, strict=True):
                lane.append(side[come : come + PIECE])
            come += PIECE
        if come >= seconds * RATE:
            for lane in lanes:
                lane.close()
        found = [(due, lane) for lane in lanes if (due := lane.due()) is not None]
        first = min((one for one in found if not one[0].settles), key=lambda one: one[0].turn, default=None)
        new = first[1].hear(first[0], engine, Wishes()) if first else []
        spent = time.process_time() - began
        began = time.process_time()
        for due, lane in found:
            if due.settles:
                lane.hear(due, engine, Wishes())
        careful = time.process_time() - began
        beside, busy = beside + careful, busy + spent + careful
        slowed = min(spent * SHARE, beside)
        now, beside = now + spent + slowed, beside - slowed
        late += [now - utterance.end / 1000 for utterance in new]
        if not found and come >= seconds * RATE:
            break
        if not found:
            later = max(now, (come + PIECE) / RATE + LAG_S)
            now, beside = later, max(0.0, beside - (later - now))
    late.sort()
    wholes = [Channel("A", np.rint(side * 32767).astype(np.int16), RATE, language="en") for side in sides]
    return {
        "calls": asked.calls,
        "busy": round(busy / seconds, 2),
        "late_median_s": round(late[len(late) // 2], 2),
        "late_p95_s": round(late[len(late) * 95 // 100], 2),
        "late_most_s": round(late[-1], 2),
        "utterances": len(late),
        "words": sum(len(u.words) for lane in lanes for u in lane.utterances),
        "words_whole": sum(len(transcribe_lane(one, engine, Wishes()).words()) for one in wholes),
    }


def measure(kind: str, samples: list[Sample], engine: WhisperEngine, asked: argparse.Namespace) -> Figures:
    """The figures of one kind."""
    if kind == "times":
        return times(samples, engine)
    if kind == "silence":
        return silence(engine, asked.seconds)
    if kind == "calls":
        return calls(samples, engine, asked)
    if kind == "live":
        return live_figures(samples, engine)
    peer = plain(engine, asked.beam)
    channels = {one.name: channel_of(kind, one, n) for n, one in enumerate(samples)}

    def ours(one: Sample) -> str:
        return said_of(transcribe_lane(channels[one.name], engine, Wishes()))

    def theirs(one: Sample) -> str:
        return peer(channels[one.name].samples, channels[one.name].rate)

    figures = rate_of(samples, ours)
    return figures | {f"peer_{name}": value for name, value in rate_of(samples, theirs).items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--seconds", type=int, default=600, help="of each sound that nobody speaks")
    parser.add_argument("--calls", type=int, default=3)
    parser.add_argument("--call-seconds", type=int, default=120)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    engine = load_engine(arguments.model, beam=arguments.beam, threads=arguments.threads)
    samples = samples_of(arguments.folder, arguments.half)
    found = {}
    for kind in arguments.only.split(","):
        found[kind] = measure(kind, samples, engine, arguments)
        if not arguments.json:
            print(kind, json.dumps(found[kind]), flush=True)
    if arguments.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
