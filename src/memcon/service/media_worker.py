"""The reading process as a program: what it can be asked, put together from the rooms that know how.

Files of media are decoded by `intake`; RTP is placed and decoded by `release`, as that of recorded calls is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memcon.errors import UsageError
from memcon.intake.packets import analyse
from memcon.intake.sound import STEREO, write_sound
from memcon.intake.vcon_file import probe_vcon, references, render_vcon
from memcon.intake.worker import MEDIA_TASKS, kind_of, serve
from memcon.release.audio import Audio, Speaker, render_stores
from memcon.release.timeline import PacketStore
from memcon.release.waveform import peaks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.intake.limits import Limits
    from memcon.intake.packets import Analysed
    from memcon.intake.worker import Task

FULL_SCALE = 32768


def _sound_of(read: Analysed) -> Audio:
    stores: dict[int, PacketStore] = {}
    for place, stream in enumerate(read.streams):
        store = stores[place] = PacketStore()
        if not read.encrypted[place]:  # ciphertext is no sound
            for arrival, packet in zip(stream.arrivals, stream.packets, strict=True):
                store.add(arrival - read.start, packet)
    who = [Speaker(lane.name, lane.party or None, (place,)) for place, lane in enumerate(read.found.lanes)]
    filled = {place: store for place, store in stores.items() if len(store.lengths)}
    return render_stores(who, filled, lambda place: read.codecs[place], read.found.duration * 1_000_000)


def probe_packets(asked: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """`path`, `damaged`: what is in a packet capture."""
    path = Path(asked["path"])
    read = analyse(path, kind_of(path), limits, damaged=bool(asked.get("damaged")))
    audio = _sound_of(read)
    for note in audio.notes:
        if "not decoded" in note:
            read.found.remark("ingest-left-out", note)
    loud = peaks(audio, 1)
    read.found.peaks = [
        bytes(min(100, round((one or 0) * 100 / FULL_SCALE)) for one in lane) for lane in loud
    ]
    return read.found.to_json()


def render_packets(asked: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """`path`, `which`, `as`, `to`: a file to hear, made of the packets."""
    path = Path(asked["path"])
    audio = _sound_of(analyse(path, kind_of(path), limits, damaged=True))
    which = asked["which"]
    chosen = audio.channels if which is None else audio.channels[which : which + 1]
    if not chosen:
        raise UsageError("there is no such lane")
    sound = np.stack([channel.samples for channel in chosen])
    if len(chosen) > STEREO:
        sound = np.rint(sound.astype(np.int32).mean(axis=0, keepdims=True)).astype(np.int16)
    write_sound(iter([sound]), len(sound), audio.rate, asked["as"], Path(asked["to"]))
    return {}


TASKS: dict[str, Task] = {
    **MEDIA_TASKS,
    "probe packets": probe_packets,
    "render packets": render_packets,
    "probe vcon": probe_vcon,
    "render vcon": render_vcon,
    "references": references,
}

if __name__ == "__main__":
    serve(TASKS)
