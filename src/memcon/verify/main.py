"""The command line: `memcon-verify [KIND] TARGET`, `memcon-verify was-it-on …`.

Exit codes: 0 nothing found; 1 findings; 2 wrong usage, or the target cannot be read; 3 nothing
found, but with a limit that the report names (no key was given).
"""

from __future__ import annotations

import argparse
import io
import json
import mmap
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from memcon import __version__
from memcon.clock import NS, SystemClock
from memcon.errors import MemconError, UsageError
from memcon.record.dossier_bundle import begins as is_dossier
from memcon.record.evidence import CONFLICT_HEADER
from memcon.record.intake_bundle import begins as is_intake
from memcon.record.silence import HEADER
from memcon.record.structure import OPENED_SUFFIX, SEALED_SUFFIX
from memcon.tlog.policy import Policy
from memcon.verify import ask_main
from memcon.verify.bundle import verify_bundle
from memcon.verify.dossier import verify_dossier
from memcon.verify.findings import EXIT_UNREADABLE
from memcon.verify.intake_bundle import verify_intake
from memcon.verify.keys import trust
from memcon.verify.log import verify_log
from memcon.verify.silence import verify_silence
from memcon.verify.slots import verify_slots
from memcon.verify.structure import read_files, structure_files, verify_structure
from memcon.verify.vault import verify_object
from memcon.verify.words import plain, to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.verify.findings import Report

KINDS = ("log", "call", "dossier", "intake", "object", "slots", "structure", "silence")
_MAX_SMALL = 1 << 22


def parser() -> argparse.ArgumentParser:
    """The arguments; docs/VERIFYING.md shows them in use."""
    p = argparse.ArgumentParser(
        prog="memcon-verify",
        description="Check a log, a bundle of a call, a dossier or a call taken in, a vault object, slot "
        "records or a silence certificate, offline.",
        epilog="Exit codes: 0 nothing found, 1 findings, 2 cannot be read, 3 nothing found, with a limit. "
        "memcon-verify was-it-on LOG FROM [TO] says whether a recorder was attested: see its own --help.",
    )
    p.add_argument("--version", action="version", version=f"memcon-verify {__version__}")
    p.add_argument(
        "what",
        nargs="+",
        metavar="[KIND] TARGET",
        help="KIND is log, call, dossier, intake, object, slots, structure or silence; without it, it is "
        "told from TARGET: a bundle, a silence certificate, a directory, or the http(s) address of a log",
    )
    p.add_argument(
        "--key", action="append", default=[], metavar="VKEY", help="a key of the log that you trust"
    )
    p.add_argument(
        "--policy", type=Path, metavar="FILE", help="a tlog-policy with the log's keys, and witnesses"
    )
    p.add_argument(
        "--seen", action="append", default=[], type=Path, metavar="FILE",
        help="log, slots, structure: a checkpoint of the log that you kept; the log must still contain it",
    )  # fmt: skip
    p.add_argument(
        "--roots", type=Path, metavar="FILE", help="log: root certificates (PEM) of time-stamping authorities"
    )
    p.add_argument("--json", action="store_true", help="the report as JSON")
    p.add_argument(
        "--audio", type=Path, metavar="DIR", help="write the audio of a call there, one WAV a stream"
    )
    p.add_argument("--log", metavar="LOG", help="slots, structure: the log whose beats they must lead to")
    p.add_argument(
        "--structure-key", type=Path, metavar="FILE", help="slots: the 32 bytes of the structure key"
    )
    p.add_argument("--quiet", action="store_true", help="say nothing; the exit code tells")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run and return the exit code."""
    _show_everything()
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == [ask_main.NAME]:
        return ask_main.main(words[1:])
    args = parser().parse_args(words)
    try:
        report = _verify(args)
    except (MemconError, OSError) as error:
        sys.stderr.write(f"memcon-verify: {plain(str(error))}\n")
        return EXIT_UNREADABLE
    if args.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    elif not args.quiet:
        sys.stdout.write(to_text(report))
    return report.exit_code


def _show_everything() -> None:
    """A terminal that lacks a character shows its escape; it must not end the report."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _verify(args: argparse.Namespace) -> Report:
    if len(args.what) > 2 or (len(args.what) == 2 and args.what[0] not in KINDS):
        raise UsageError(f"KIND is one of {', '.join(KINDS)}, then one TARGET")
    target = args.what[-1]
    kind = args.what[0] if len(args.what) == 2 else guess(target)
    if kind == "silence":
        if args.policy is None:
            raise UsageError("whose word counts is for you to say: give --policy")
        now = SystemClock().wall_ns() // NS
        return verify_silence(_small(Path(target)), Policy.parse(_small(args.policy)), target, now)
    trusted = trust(args.key, None if args.policy is None else _small(args.policy))
    progress = _progress if sys.stderr.isatty() and not args.quiet and not args.json else None
    kept = [(str(path), _small(path)) for path in args.seen]
    if kind == "log":
        roots = None if args.roots is None else _small(args.roots)
        return verify_log(target, trusted, seen=kept, progress=progress, roots=roots)
    if kind == "object":
        return verify_object(Path(target), trusted)
    if kind in ("slots", "structure") and args.log is None:
        raise UsageError("slots are checked against a log: give it with --log")
    if kind == "structure":
        files = read_files(structure_files([Path(target)]))
        return verify_structure(files, args.log, trusted, seen=kept, target=target)
    if kind == "slots":
        key = None if args.structure_key is None else _small(args.structure_key)
        return verify_slots([Path(target)], args.log, trusted, key, seen=kept)
    with Path(target).open("rb") as file:
        if not Path(target).stat().st_size:
            raise UsageError(f"{target} is empty")
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if kind == "dossier":
        return verify_dossier(data, trusted, target=target)
    if kind == "intake":
        return verify_intake(data, trusted, target=target)
    return verify_bundle(data, trusted, target=target, audio_to=args.audio, progress=progress)


def guess(target: str) -> str:
    """What TARGET is, by its look: an address, a directory, a file."""
    if "://" in target:
        return "log"
    path = Path(target)
    if path.is_dir():
        return "object" if (path / "0=ocfl_object_1.1").exists() else "log"
    if path.suffix in (OPENED_SUFFIX, SEALED_SUFFIX):
        return "structure"
    begins = _begins(path)
    if is_dossier(begins):
        return "dossier"
    if is_intake(begins):
        return "intake"
    line = begins[:32].partition(b"\n")[0].decode("utf-8", "replace")
    return "silence" if line in (HEADER, CONFLICT_HEADER) else "call"


def _begins(path: Path) -> bytes:
    """The first bytes, which tell what it is."""
    try:
        with path.open("rb") as file:
            return file.read(200)
    except OSError:  # said where it is read
        return b""


def _small(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_SMALL)


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done * 100 // max(total, 1):3d} %\r")
