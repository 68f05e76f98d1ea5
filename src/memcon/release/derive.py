"""Derived files with their cache: made once from a call, made again when missing or out of date.

Beside each stands `<file>.json`: what it was made from, by which version of memcon, and the digest of
the file. It is written after the file, so a file without one is unfinished and is made again. Derived
files are in clear: they have the access rights of the home and can be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from memcon import __version__
from memcon.errors import FormatError, UsageError
from memcon.record import canonical
from memcon.release.audio import render
from memcon.release.files import flac, wav
from memcon.release.pcap import write_pcap
from memcon.release.waveform import describe
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memcon.record.canonical import Json
    from memcon.release.audio import Audio
    from memcon.release.media import OpenCall

RENDERER = 1
"""Raised whenever the same call would give other bytes: cached files of another number are made again."""
Form = Literal["wav", "flac"]


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived file and what is said of it."""

    path: Path
    about: dict[str, Json]


class Deriver:
    """Makes derived files of one call under `derived/<number>/`.

    `from_version` names the vault object and version the call was read from, for the file beside.
    """

    def __init__(self, derived: Path, call: OpenCall, from_version: str = "") -> None:
        self._directory = derived / str(call.number)
        self._call = call
        self._from = {"object": from_version, "call": call.number, "call_root": call.last().call_root.hex()}
        self._audio: Audio | None = None

    def audio(self, form: Form, channel: int | None = None) -> Derived:
        """A WAV or FLAC of all channels, or of the one at a place from 0 on; UsageError if there is none."""
        name = f"audio{'' if channel is None else f'-{channel}'}.{form}"

        def make() -> tuple[bytes, dict[str, Json]]:
            audio = self._rendered()
            chosen = audio.channels if channel is None else audio.channels[channel : channel + 1]
            if channel is not None and (channel < 0 or not chosen):
                raise UsageError(
                    f"call {self._call.number} has {len(audio.channels)} channels, none at {channel}"
                )
            write = wav if form == "wav" else flac
            about: dict[str, Json] = {
                "rate": audio.rate,
                "channels": [
                    {"name": c.name, "participant": c.participant, "streams": list(c.streams)} for c in chosen
                ],
                "notes": list(audio.notes),
            }
            return write([c.samples for c in chosen], audio.rate), about

        return self._cached(name, make)

    def waveform(self, per_second: int) -> dict[str, Json]:
        """Peaks as `waveform.describe` gives them."""

        def make() -> tuple[bytes, dict[str, Json]]:
            return canonical.dumps(describe(self._rendered(), per_second)), {}

        made = self._cached(f"waveform-{per_second}.json", make)
        value = canonical.loads(durable.read_bytes(made.path), "waveform")
        if not isinstance(value, dict):
            raise FormatError(str(made.path), "is no waveform", cure="Remove it; it is made again")
        return value

    def pcap(self) -> Derived:
        """The packets and messages as a capture file."""

        def make() -> tuple[bytes, dict[str, Json]]:
            notes: list[str] = []
            data = b"".join(write_pcap(self._call, notes))
            return data, {"notes": list(notes)}

        return self._cached("call.pcap", make)

    def _rendered(self) -> Audio:
        if self._audio is None:
            self._audio = render(self._call)
        return self._audio

    def _cached(self, name: str, make: Callable[[], tuple[bytes, dict[str, Json]]]) -> Derived:
        path, beside = self._directory / name, self._directory / f"{name}.json"
        about = _read_about(durable.read_if_there(beside))
        basis = {"from": self._from, "renderer": RENDERER}
        if path.is_file() and {key: about.get(key) for key in basis} == basis:
            return Derived(path, about)
        data, facts = make()
        about = {
            **basis,
            "by": f"memcon {__version__}",
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            **facts,
        }
        durable.make_dirs(self._directory)
        durable.remove_file(beside)
        durable.write_file(path, data)
        durable.write_file(beside, canonical.dumps(about))
        return Derived(path, about)


def _read_about(data: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
