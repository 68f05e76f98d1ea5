"""A recorder's kept calls, opened with its embedded custodian: to hear, to take away, to check.

What the console and the command line both do with a call that has ended. Nothing here is needed to
check a call: a stranger does that with a bundle and the log's public key alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from memcon.console.deps import FileKind, Offer
from memcon.errors import FormatError, UsageError
from memcon.record.call import decode as decode_leaf
from memcon.record.call import read_leaves
from memcon.release.bundle import ConfigPart, config_parts, make_bundle, policy_text
from memcon.release.derive import Deriver
from memcon.release.media import OpenCall
from memcon.seal.custody import unwrap
from memcon.seal.keys import load_keys, read_secret
from memcon.service.setup import CUSTODIAN_ID
from memcon.store.durable import make_dirs, read_bytes, write_file
from memcon.store.tiles import LogStore
from memcon.vault.keeper import Keeper
from memcon.verify.bundle import verify_bundle
from memcon.verify.keys import Trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.record.canonical import Json
    from memcon.service.config import Config
    from memcon.store.paths import Home
    from memcon.verify.findings import Report

PEAKS_PER_SECOND = 1
FULL_SCALE = 32768
FORMATS: tuple[FileKind, ...] = ("wav", "flac", "pcap", "bundle")
SUFFIX = {"wav": ".wav", "flac": ".flac", "pcap": ".pcap", "bundle": ".zip", "original": ".original"}


class Archive:
    """The calls of one home. Safe to use from several threads: every method opens what it needs."""

    def __init__(self, home: Home, config: Config, clock: Clock) -> None:
        self._home = home
        self._config = config
        self._keeper = Keeper(home, config.origin, clock, config.vault_fallback)
        self._keys = load_keys(home.keys)
        self._log = LogStore(home.log)

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The log's public keys, as a checker is given them."""
        return tuple(str(key) for key in self._keys.vkeys(self._config.origin))

    # --- opening ---

    def numbers(self) -> list[int]:
        """The calls that are in the vault, in order."""
        return self._keeper.numbers()

    def files(self, number: int) -> dict[str, Path]:
        """The call's files by name; UsageError when the call is not in the vault yet."""
        files = self._keeper.find(number)
        if "checkpoint" not in files:  # sealed, and on its way
            raise UsageError(
                f"call {number} is not in the vault yet",
                cure="It gets there when its last beat is in the log: try again in a moment",
            )
        return files

    def open(self, number: int) -> OpenCall:
        """A call with its key, through the embedded custodian.

        Raises UsageError when the call is not in the vault yet or the custodian's key is not here.
        """
        files = self.files(number)
        if not self._home.local_custodian.exists():
            raise UsageError(
                "the custodian's private key is not on this machine",
                cure=f"Put it at {self._home.local_custodian}, or ask the custodian to open the call",
            )
        handle = _handle_of(read_bytes(files["leaves.mcl"]), number)
        seed = read_secret(self._home.local_custodian)
        key = unwrap(read_bytes(files["wraps.json"]), handle, CUSTODIAN_ID, seed)
        return OpenCall.from_files(number, key, files)

    def record(self, number: int) -> dict[str, Json]:
        """The call in words, as it was sealed at its end."""
        return self.open(number).record()

    def _deriver(self, number: int) -> Deriver:
        return Deriver(self._home.derived, self.open(number))

    # --- console.deps.Audio, Waveform ---

    def path(self, number: int, which: str, kind: Literal["wav", "flac"]) -> Path:
        """The audio of one lane ("A", "B", …) or of `all`."""
        if which == "all":
            return self._deriver(number).audio(kind).path
        if len(which) != 1 or not "A" <= which <= "Z":
            raise UsageError(f"there is no lane {which!r}")
        return self._deriver(number).audio(kind, ord(which) - ord("A")).path

    def peaks(self, number: int) -> dict[str, bytes]:
        """By lane letter one value of 0 to 100 a second; empty where the call cannot be opened here."""
        try:
            waveform = self._deriver(number).waveform(PEAKS_PER_SECOND)
        except (UsageError, FormatError):
            return {}
        return {
            chr(ord("A") + i): bytes(round((peak or 0) * 100 / FULL_SCALE) for peak in channel["peaks"])
            for i, channel in enumerate(waveform["channels"])
        }

    # --- console.deps.Exporter ---

    def offers(self, number: int) -> list[Offer]:
        """What can be taken away; nothing while the call is not in the vault."""
        try:
            self.files(number)
        except UsageError:
            return []
        return [Offer(kind, None) for kind in FORMATS]

    def export(self, number: int, kind: FileKind, *, say: Callable[[str], None] | None = None) -> Path:
        """A file of the call below `derived/`, made if need be."""
        if say is not None:
            say(f"opening call {number}")
        if kind == "original":
            raise UsageError(f"call {number} was recorded: there is no file it was taken in from")
        if kind == "bundle":
            return self.bundle_path(number)
        deriver = self._deriver(number)
        return deriver.pcap().path if kind == "pcap" else deriver.audio(kind).path

    # --- bundles ---

    def bundle(self, number: int) -> bytes:
        """The bundle of a call. Raises UsageError until its last beat is in the log and it is kept."""
        call = self.open(number)
        policy = policy_text(self.vkeys)
        return make_bundle(call, self._log.fetch, config=self._config_of(call), policy=policy)

    def bundle_path(self, number: int) -> Path:
        """The bundle as a file below `derived/`, made anew each time."""
        data = self.bundle(number)
        path = self._home.derived / str(number) / "call.zip"
        make_dirs(path.parent)
        write_file(path, data)
        return path

    def _config_of(self, call: OpenCall) -> dict[str, ConfigPart]:
        parts = call.record()["config"]
        return config_parts(self._keys.structure, {name: text.encode() for name, text in parts.items()})

    # --- console.deps.Verifier ---

    def verify_call(self, number: int, progress: Callable[[int, int], None] | None = None) -> Report:
        """The call checked as a stranger would: its bundle, against this log's own keys."""
        trusted = Trust(self._keys.vkeys(self._config.origin))
        return verify_bundle(self.bundle(number), trusted, target=f"call {number}", progress=progress)


def _handle_of(leaves: bytes, number: int) -> bytes:
    for placed in read_leaves(leaves, number):
        first = decode_leaf(placed.leaf).first
        if first is not None:
            return first.handle
        break
    raise FormatError("leaves.mcl", f"call {number} has no first leaf", cure="Restore it from a replica")
