"""The structure feed of a real home, as its overseer fetches, opens and checks it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.running import copy, recorded

from memcon.errors import FormatError, UsageError
from memcon.record import beat as beats
from memcon.record import slottree, structure
from memcon.seal.custody import decode_custodians, encode_custodians
from memcon.seal.keys import load_keys, read_secret
from memcon.service.structure import (
    Feeds,
    StructureFeed,
    make_overseer,
    open_files,
    open_structure,
    read_overseer,
)
from memcon.store.tiles import LogStore
from memcon.verify.keys import Trust
from memcon.verify.structure import structure_files, verify_structure

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.verify.findings import Report

SEALED = (structure.SEALED_SUFFIX,)


def feed(to: Path, slots: int = 3, name: str = "inspector") -> tuple[StructureFeed, bytes]:
    home = recorded().home
    public, private = make_overseer(name, to)
    made = StructureFeed(home, load_keys(home.keys), read_overseer(public), to / "feed", slots=slots)
    return made, read_secret(private)


def size() -> int:
    return LogStore(recorded().home.log).checkpoint().size


def check(to: Path, seed: bytes) -> Report:
    trusted = Trust(load_keys(recorded().home.keys).vkeys(recorded().config.origin))
    return verify_structure(open_files(structure_files([to], SEALED), seed), recorded().home.log, trusted)


def test_a_feed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    made, seed = feed(tmp_path)
    first = made.advance()
    assert len(first) == (size() - 1) // 3
    assert made.advance() == []
    rest = made.advance(finish=True)
    assert len(rest) == ((size() - 1) % 3 > 0)
    assert made.advance(finish=True) == []
    report = check(tmp_path / "feed", seed)
    assert (report.counts, report.exit_code) == ({}, 0), report.findings
    assert report.facts["calls begun, ended, open at the end"] == [1, 1, 0]


def test_without_the_call_key_or_another_key_nothing_is_read(tmp_path: Path) -> None:
    made, seed = feed(tmp_path)
    data = made.advance()[0].read_bytes()
    _, other = make_overseer("another", tmp_path)
    for key, bytes_ in ((read_secret(other), data), (seed, data[:-1]), (seed, data[:24] + b"\1" + data[25:])):
        with pytest.raises(FormatError):
            open_structure(bytes_, key)
    with pytest.raises(UsageError, match="overseer-key"):
        list(open_files(made.export(1, 1), None))
    opened = open_structure(data, seed)
    call = recorded().home.structure  # of the home: no name of a party stands in a feed
    assert b"Solheim" not in opened
    assert not call.exists()


def test_a_stretch(tmp_path: Path) -> None:
    made, _ = feed(tmp_path)
    leaves = [beats.decode(entry) for entry in LogStore(recorded().home.log).entries(0, size())]
    start = leaves[2].slot * leaves[2].period_ms
    assert made.between(None, None) == (1, size() - 1)
    assert made.between(start, leaves[4].slot * leaves[4].period_ms) == (2, 3)
    with pytest.raises(UsageError):
        made.between(0, 1)
    assert [path.name for path in made.export(2, 5)] == [
        "000000000002-000000000004.mctx",
        "000000000005-000000000005.mctx",
    ]


def test_a_file_ends_before_it_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memcon.service.structure.MAX_CONTENT", 1)
    made, seed = feed(tmp_path, slots=1000)
    assert len(made.advance(finish=True)) == size() - 1
    assert not check(tmp_path / "feed", seed).counts


def test_records_that_are_missing_torn_or_of_another_instance(tmp_path: Path) -> None:
    home, _ = copy(tmp_path / "home")
    public, _ = make_overseer("inspector", tmp_path)
    made = StructureFeed(home, load_keys(home.keys), read_overseer(public), tmp_path / "feed")
    path = max(home.slots.rglob("*.mcl"), key=lambda path: path.stat().st_size)
    stray = path.with_name("00.mcl")
    stray.write_bytes(slottree.SLOTS_MAGIC + slottree.encode_slot_record(3, 1, {}))
    path.with_name("ff.mcl").write_bytes(b"")
    path.write_bytes(path.read_bytes() + b"\0\0\1\0 torn as by a crash")
    whole = made.advance(finish=True)
    assert len(whole) == 1
    stray.unlink()
    path.unlink()
    with pytest.raises(FormatError, match="slot record of beat"):
        made.export(1, size() - 1)


def test_the_feeds_that_the_configuration_names(tmp_path: Path) -> None:
    home, _ = copy(tmp_path / "home")
    names = ("one", "two")
    paths = tuple(make_overseer(name, tmp_path)[0] for name in names)
    config = replace(recorded().config, overseers=paths, structure_slots=2)
    feeds = Feeds(home, config)
    feeds.advance()
    feeds.advance()
    made = sorted(home.structure.iterdir())
    assert len(made) == 2
    assert all(len(list(folder.iterdir())) == (size() - 1) // 2 for folder in made)
    Feeds(home, recorded().config).advance()  # none is named: nothing to do


def test_keys_and_files_that_are_wrong(tmp_path: Path) -> None:
    public, _ = make_overseer("inspector", tmp_path)
    with pytest.raises(UsageError, match="already"):
        make_overseer("inspector", tmp_path)
    with pytest.raises(UsageError, match="file's name"):
        make_overseer("../up", tmp_path)
    with pytest.raises(UsageError, match="slots to a file"):
        feed(tmp_path, slots=0, name="c")
    one = decode_custodians(public.read_bytes())[0]
    public.write_bytes(encode_custodians([one, replace(one, id="again")]))
    with pytest.raises(FormatError, match="2 keys"):
        read_overseer(public)
    assert read_secret(tmp_path / "inspector.overseer.key")
