"""Any single changed byte is found, with a code, and with its second where it belongs to the media."""

from __future__ import annotations

import functools
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.verify import builder as b

from memcon.record.bundle import write_bundle
from memcon.tlog import ed25519
from memcon.verify import CODES, Report, Trust, trust, verify_bundle, verify_log, verify_object
from memcon.verify.container import read
from memcon.verify.findings import NOTE
from memcon.verify.media import scan

if TYPE_CHECKING:
    from pathlib import Path

PARTS = 4  # so that the processes of a run share the longest test


@pytest.fixture(autouse=True)
def _done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most flips leave key, text and signature alone: the same curve arithmetic is worked out once."""
    for owner, name in ((ed25519, "_tables"), (ed25519.PublicKey, "verify")):
        monkeypatch.setattr(owner, name, functools.cache(getattr(owner, name)))


def small() -> tuple[b.World, b.Call]:
    """A call of three seconds and two streams with few, short packets."""
    world = b.begun()
    packets = [*b.speech(2.4, 0, every_ms=600, size=4), *b.speech(2.4, 2, every_ms=800, first=0.4, size=4)]
    call = b.Call(world, duration=int(2.5 * b.NS), packets=packets)
    return b.simple(world=world, call=call)


def found(report: Report) -> bool:
    """Errors or warnings, all with a known code."""
    assert set(report.counts) <= set(CODES)
    return any(CODES[code].severity != NOTE for code in report.counts)


def media_place(data: bytes) -> tuple[int, int, list[int]]:
    """Where the media stand in a bundle, and where each second begins in them."""
    contents = read(Report("", ""), data)
    assert contents is not None
    entry = contents.entries["media.mcb"]
    start = data.index(bytes(entry.content), entry.offset)
    return start, start + len(entry.content), scan(entry.content).offsets


def second_of(place: int, offsets: list[int]) -> int | None:
    """The second that the byte at `place` of the media belongs to."""
    seconds = [n for n, offset in enumerate(offsets[:-1]) if offset <= place]
    return seconds[-1] if seconds else None


def check(data: bytes, trusted: Trust, place: int, span: tuple[int, int, list[int]], flip: int) -> None:
    """Change one byte; it must be found, and the second named if it is one of the media's."""
    changed = bytearray(data)
    changed[place] ^= flip
    report = verify_bundle(changed, trusted)
    assert found(report), f"byte {place} changed by {flip:#x} was not found"
    assert report.exit_code == 1
    start, end, offsets = span
    if start <= place < end:
        second = second_of(place - start, offsets)
        exact = {f.second for f in report.findings if f.code == "byte-changed"}
        named = {f.second for f in report.findings if f.second is not None}
        if second is not None:
            assert second in (exact or named), f"byte {place} is in second {second}, named {exact or named}"
            assert exact <= {second}


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("part", range(PARTS))
def test_every_byte_of_a_bundle(part: int) -> None:
    world, call = small()
    data = b.bundle(world, call, withhold=[(1, 2)]).pack()
    trusted, span = trust(world.vkeys()), media_place(data)
    assert not found(verify_bundle(data, trusted))
    start, end, _ = span
    for place in range(part, len(data), PARTS):
        # Every byte of the media and of the container around them; of the rest every third.
        if start - 100 <= place < end + 100 or not place % 3 or place > len(data) - 600:
            check(data, trusted, place, span, 1 << place % 8)


@pytest.mark.parametrize(
    ("name", "place", "code"),
    [
        ("beats.mcb", 15, "beats-form"),  # of a tree of another size
        ("beats.mcb", 23, "genesis-missing"),  # the first is no leaf 0
        ("beats.mcb", 24, "beat-form"),  # a leaf that is none
        ("leaves.mcl", 15, "manifest-facts"),  # of another call
        ("leaves.mcl", 20, "call-form"),
        ("media.mcb", 300, "byte-changed"),
    ],
)
def test_what_a_changed_byte_is_called(name: str, place: int, code: str) -> None:
    world, call = small()
    data = bytearray(b.bundle(world, call).pack())
    contents = read(Report("", ""), bytes(data))
    assert contents is not None
    data[bytes(data).index(bytes(contents.entries[name].content)) + place] ^= 1
    assert code in verify_bundle(data, trust(world.vkeys())).counts


def test_heads_of_seconds_and_the_directory_of_the_container() -> None:
    """A part of the exhaustive loop, with the tracer: lines that no other damage reaches."""
    world, call = small()
    data = b.bundle(world, call).pack()
    trusted, span = trust(world.vkeys()), media_place(data)
    directory = int.from_bytes(data[-6:-2], "little")
    for place in (*range(span[0], span[0] + 100, 3), directory + 42, len(data) - 12):
        check(data, trusted, place, span, 1)


def test_a_file_of_a_vault_object_that_differs_from_its_inventory(tmp_path: Path) -> None:
    world, call = small()
    files = b.ocfl_object(b.vault_files(world, call))
    b.write_files(tmp_path, files)
    name = next(name for name in files if name.endswith("media.mcb") or "/content/" in name)
    (tmp_path / name).write_bytes(files[name] + b"more")
    assert "ocfl-digest" in verify_object(tmp_path, trust(world.vkeys())).counts


def test_bytes_of_a_bundle_with_both_signatures() -> None:
    world, call = b.simple(world=b.begun(mldsa=True))
    data = b.bundle(world, call).pack()
    trusted, span = trust(world.vkeys()), media_place(data)
    for place in range(5, len(data), 499):
        check(data, trusted, place, span, 0xFF)


def test_a_changed_byte_of_audio_is_named_with_its_old_value_and_the_rest_still_checked() -> None:
    world, call = b.simple()
    data = bytearray(b.bundle(world, call).pack())
    start, _, offsets = media_place(bytes(data))
    place = start + offsets[4] - 10  # in the last packet of second 3, stream 2
    old = data[place]
    data[place] ^= 0x55
    report = verify_bundle(data, trust(world.vkeys()))
    one = next(f for f in report.findings if f.code == "byte-changed")
    assert (one.second, one.stream) == (3, 2)
    assert f"with {old:#04x} in its place" in one.text
    assert "4 of 5 seconds match their seals" in report.checked
    assert {(s["first"], s["last"]): s["state"] for s in report.seconds}[3, 3] == "do not match their seal"


def test_two_changed_bytes_name_the_seconds_of_their_seal() -> None:
    world, call = b.simple()
    data = bytearray(b.bundle(world, call).pack())
    start, _, offsets = media_place(bytes(data))
    data[start + offsets[4] - 10] ^= 1
    data[start + offsets[4] - 9] ^= 1
    report = verify_bundle(data, trust(world.vkeys()))
    one = next(f for f in report.findings if f.code == "media-segment")
    assert (one.second, one.through) == (3, 4)
    assert "byte-changed" not in report.counts
    assert "3 of 5 seconds match their seals" in report.checked


def test_media_cut_short_name_the_seconds_that_are_not_there() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    files = made.files()
    media = files["media.mcb"]
    files["media.mcb"] = media[: scan(media).offsets[3] + 60]
    report = verify_bundle(write_bundle(world.origin, 1, files), trust(world.vkeys()))
    one = next(f for f in report.findings if f.code == "media-form")
    assert one.second == 3
    assert {(f.second, f.through) for f in report.findings if f.code == "media-missing"} == {(3, 4)}


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("step", [None, 1])
def test_every_byte_of_a_log(tmp_path: Path, step: int | None) -> None:
    world, _ = b.simple(2)
    files = world.files(step=step)
    trusted = trust(world.vkeys())
    b.write_files(tmp_path, files)
    assert not found(verify_log(str(tmp_path), trusted))
    stride = 1 if step is None else 11
    for name, data in files.items():
        path = tmp_path / name
        for place in range(0, len(data), stride):
            changed = bytearray(data)
            changed[place] ^= 1 << place % 8
            path.write_bytes(changed)
            assert found(verify_log(str(tmp_path), trusted)), f"byte {place} of {name}"
        path.write_bytes(data)


def test_bytes_of_a_log_of_three_levels(tmp_path: Path) -> None:
    world = b.World(mldsa=False)
    world.genesis()
    first = world.beat()
    for n in range(2, 600):
        world.entries.append(replace(first, index=n, slot=first.slot + n - 1).encode())
    files = world.files()
    trusted = trust(world.vkeys())
    b.write_files(tmp_path, files)
    assert verify_log(str(tmp_path), trusted).exit_code == 0
    for name, data in files.items():
        path = tmp_path / name
        for place in range(0, len(data), max(1, len(data) // 5)):
            changed = bytearray(data)
            changed[place] ^= 0x10
            path.write_bytes(changed)
            assert found(verify_log(str(tmp_path), trusted)), f"byte {place} of {name}"
        path.write_bytes(data)
        path.unlink()
        assert found(verify_log(str(tmp_path), trusted)), f"{name} taken away"
        path.write_bytes(data)


@pytest.mark.usefixtures("untraced")
def test_every_byte_of_a_vault_object(tmp_path: Path) -> None:
    world, call = small()
    files = b.ocfl_object(b.vault_files(world, call))
    b.write_files(tmp_path, files)
    trusted = trust(world.vkeys())
    assert not found(verify_object(tmp_path, trusted))
    for name, data in files.items():
        path = tmp_path / name
        for place in range(0, len(data), 1 if len(data) < 200 else 17):
            changed = bytearray(data)
            changed[place] ^= 1 << place % 8
            path.write_bytes(changed)
            assert found(verify_object(tmp_path, trusted)), f"byte {place} of {name}"
        path.write_bytes(data)


def test_a_vault_object_with_digests_made_again_is_still_found_and_the_seconds_named(tmp_path: Path) -> None:
    world, call = b.simple()
    honest = b.vault_files(world, call)
    trusted = trust(world.vkeys())
    unbound = {"record.mcr"}  # the inventory alone binds it, and the report says so
    for name, data in honest.items():
        if name in unbound:
            continue
        for place in range(len(data) - 1, 0, -max(1, len(data) // 12)):
            changed = bytearray(data)
            changed[place] ^= 4
            folder = b.write_files(tmp_path / "object", b.ocfl_object(honest | {name: bytes(changed)}))
            report = verify_object(folder, trusted)
            assert "ocfl-digest" not in report.counts
            assert found(report), f"byte {place} of {name}"
            if name == "media.mcs":
                assert any(f.second is not None for f in report.findings)
            shutil.rmtree(folder)
