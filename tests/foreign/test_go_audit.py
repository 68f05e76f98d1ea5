"""A Go program that shares no line with memcon audits logs that memcon wrote.

Needs Debian's golang-go and golang-golang-x-mod-dev; skips without them.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from memcon.clock import SystemClock
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import ED25519, Note, Signature, VerifierKey
from memcon.tlog.tiles import TileWriter
from memcon.tlog.witness import AddCheckpoint
from memcon.witness.core import Witness
from memcon.witness.keys import Cosigner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytestmark = pytest.mark.foreign

GO_PATH = Path("/usr/share/gocode")
ORIGIN = "log.memcon.example/audited"
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"log key of the audited test log.")
KEY = VerifierKey(ORIGIN, ED25519, PRIVATE.public_key().public_bytes_raw())
BEAT = struct.Struct(">8sBBHIQQ16s32s32s32sQQ32s32s32s")

Audit = tuple[int, dict[str, Any]]


def build_audit(target: Path) -> Path:
    """Compile the Go program into the directory; skips where Go or its x/mod source is absent."""
    if shutil.which("go") is None:
        pytest.skip("no `go`: apt-get install golang-go")
    if not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("no golang.org/x/mod source: apt-get install golang-golang-x-mod-dev")
    program = target / "go_audit"
    source = Path(__file__).parent / "go_audit" / "main.go"
    env = {"GOCACHE": str(target / "cache")} if "HOME" not in os.environ else {}
    env |= {**os.environ, "GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOFLAGS": "", "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", str(program), str(source)], check=True, env=env, timeout=240)
    return program


def audit(program: Path, log: Path, vkey: str, *witnesses: str) -> Audit:
    """The exit code and the summary of the Go program over a log directory."""
    command = [str(program), str(log), vkey, *witnesses]
    done = subprocess.run(command, check=False, capture_output=True, timeout=120)
    return done.returncode, json.loads(done.stdout)


def beat(number: int, **changed: int) -> bytes:
    """The public leaf of docs/FORMATS.md section 2, built from its table alone."""
    field = {"kind": 0 if number == 0 else 1, "state": 4 if number == 0 else 1, "flags": 0, "period": 10_000}
    field |= {"index": number, "slot": 180_000_000 + number} | changed
    zero = bytes(32)
    return BEAT.pack(
        b"memcon\0\1", field["kind"], field["state"], field["flags"], field["period"], field["index"],
        field["slot"], bytes(16), b"r" * 32, b"c" * 32, zero, 0, 0, zero, zero, zero,
    )  # fmt: skip


def write_log(directory: Path, entries: Sequence[bytes], steps: Sequence[int] = ()) -> None:
    """Write a log that grew in steps (sizes), every tile it ever published, and its last checkpoint."""
    writer = TileWriter()
    for size in (*steps, len(entries)):
        writer, files = writer.append(entries[writer.size : size])
        for path, data in files.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(data)
    text = Checkpoint(ORIGIN, writer.size, writer.root()).to_bytes()
    own = Signature(ORIGIN, KEY.key_id, PRIVATE.sign(text))
    stranger = Signature("w.example", b"abcd", b"a type that x/mod does not know")
    (directory / "checkpoint").write_bytes(Note(text, (own, stranger)).to_bytes())


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_audit(tmp_path_factory.mktemp("go"))


@pytest.fixture
def check(program: Path, tmp_path: Path) -> Callable[[], Audit]:
    return lambda: audit(program, tmp_path, str(KEY))


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600])
def test_a_log_of_any_size_passes(check: Callable[[], Audit], tmp_path: Path, size: int) -> None:
    write_log(tmp_path, [beat(n) for n in range(size)])
    code, summary = check()
    assert summary["problem"] == ""
    assert (code, summary["ok"], summary["size"]) == (0, True, size)
    assert summary["files"] == sum(1 for path in tmp_path.rglob("tile/**/*") if path.is_file())


def test_partial_tiles_of_every_published_size_are_compared(
    check: Callable[[], Audit], tmp_path: Path
) -> None:
    write_log(tmp_path, [beat(n) for n in range(600)], steps=[1, 100, 256, 300, 599])
    code, summary = check()
    assert (code, summary["problem"]) == (0, "")
    assert summary["files"] > 7
    old = tmp_path / "tile/0/000.p/100"
    flip(old, 99 * 32)
    code, summary = check()
    assert (code, summary["problem"]) == (1, "tile/0/000.p/100: differs from the tile computed again")


def test_tiles_ahead_of_the_checkpoint_are_told(check: Callable[[], Audit], tmp_path: Path) -> None:
    entries = [beat(n) for n in range(300)]
    write_log(tmp_path, entries)
    write_log(tmp_path, entries[:250])
    code, summary = check()
    assert (code, summary["problem"]) == (0, "")
    assert summary["ahead"] == 5


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/002.p/88",
        "checkpoint",
    ],
)
@pytest.mark.parametrize("place", [0.0, 0.5, 0.99])
def test_one_flipped_byte_is_caught(
    check: Callable[[], Audit], tmp_path: Path, path: str, place: float
) -> None:
    write_log(tmp_path, [beat(n) for n in range(600)])
    size = (tmp_path / path).stat().st_size
    if path == "checkpoint":  # the part the log signs; the stranger's line may be anything
        size = (tmp_path / path).read_bytes().index(b"\n\n")
    flip(tmp_path / path, int(size * place))
    code, summary = check()
    assert (code, summary["ok"]) == (1, False)
    # Where it was flipped: in the note, in a bundle (an entry, its length, the root), in a tile.
    cause = {"checkpoint": "checkpoint: "}.get(path, path)
    causes = (cause, "beat ", "the entries have root ") if "entries" in path else (cause,)
    assert summary["problem"].startswith(causes)


def test_a_missing_tile_is_caught(check: Callable[[], Audit], tmp_path: Path) -> None:
    write_log(tmp_path, [beat(n) for n in range(600)])
    (tmp_path / "tile/1/000.p/2").unlink()
    code, summary = check()
    assert code == 1
    assert "tile/1/000.p/2" in summary["problem"]


def test_another_key_is_caught(program: Path, tmp_path: Path) -> None:
    write_log(tmp_path, [beat(0)])
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    code, summary = audit(program, tmp_path, str(VerifierKey(ORIGIN, ED25519, other)))
    assert code == 1
    assert summary["problem"].startswith("checkpoint: ")


def test_a_checkpoint_that_our_witness_cosigned_opens_in_go(program: Path, tmp_path: Path) -> None:
    """The cosignature comes from `memcon.witness`, through a whole add-checkpoint request."""
    write_log(tmp_path, [beat(n) for n in range(5)])
    path = tmp_path / "checkpoint"
    cosigner = Cosigner("w.example", bytes([1]) * 32, bytes([2]) * 32)
    note = Note.parse(path.read_bytes())
    answer = Witness(cosigner, [KEY], SystemClock()).decide(AddCheckpoint(0, (), note).to_bytes())
    assert answer.status == 200
    path.write_bytes(note.to_bytes() + answer.body)
    code, summary = audit(program, tmp_path, str(KEY), str(cosigner.vkeys[0]))
    assert (code, summary["problem"]) == (0, "")
    other = Cosigner("w.example", bytes([3]) * 32)
    code, summary = audit(program, tmp_path, str(KEY), str(other.vkeys[0]))
    assert (code, summary["problem"]) == (1, "checkpoint: not signed by w.example")
    forged = cosigner.cosign(Checkpoint(ORIGIN, 6, bytes(32)), Checkpoint(ORIGIN, 6, bytes(32)).to_bytes(), 7)
    path.write_bytes(note.to_bytes() + forged[0].line())
    code, summary = audit(program, tmp_path, str(KEY), str(cosigner.vkeys[0]))
    assert code == 1
    assert summary["problem"].startswith("checkpoint: ")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (beat(2, index=3), "beat 2: index 3"),
        (beat(2, slot=180_000_001), "beat 2: slot 180000001 after slot 180000001"),
        (beat(2, slot=180_000_000), "beat 2: slot 180000000 after slot 180000001"),
        (beat(2, period=1000), "beat 2: period 1000 ms is not that of the genesis"),
        (beat(2, kind=0), "beat 2: kind 0"),
        (beat(2, kind=3), "beat 2: kind 3"),
        (beat(2, state=0), "beat 2: state 0"),
        (beat(2, state=5), "beat 2: state 5"),
        (beat(2, flags=8), "beat 2: unknown flags"),
        (beat(2)[:-1] + b"\1", "beat 2: reserved bytes are not 0"),
        (b"n" + beat(2)[1:], "beat 2: no magic"),
        (beat(2)[:-1], "beat 2: 255 bytes, not 256"),
        (beat(2, kind=2), "beat 3: after the tombstone"),
    ],
)
def test_a_well_sealed_log_of_wrong_beats_is_caught(
    check: Callable[[], Audit], tmp_path: Path, entry: bytes, problem: str
) -> None:
    write_log(tmp_path, [beat(0), beat(1), entry, beat(3)])
    code, summary = check()
    assert (code, summary["problem"]) == (1, problem)
