from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.tlog import merkle, tiles
from memcon.tlog.merkle import EMPTY_ROOT, ProofError, leaf_hash
from memcon.tlog.tiles import ENTRIES, Tile, TileError, TileReader, TileWriter, tiles_between

if TYPE_CHECKING:
    from pathlib import Path

LOG_SIZE = 70_000
ALL = [b"entry %d" % i for i in range(LOG_SIZE)]
LEAVES = [leaf_hash(entry) for entry in ALL]


def log_of(size: int) -> dict[str, bytes]:
    return TileWriter().append(ALL[:size])[1]


def nothing(path: str) -> bytes | None:
    """A log without files."""
    return None


def superseded(files: dict[str, bytes]) -> set[str]:
    """The partial tiles whose full tile is there."""
    return {path for path in files if ".p/" in path and path.partition(".p/")[0] in files}


@pytest.fixture(scope="module")
def big_log() -> dict[str, bytes]:
    return log_of(LOG_SIZE)


class TestPaths:
    @pytest.mark.parametrize(
        ("tile", "path"),
        [
            (Tile(0, 0), "tile/0/000"),
            (Tile(0, 1234067), "tile/0/x001/x234/067"),
            (Tile(0, 1234067, 112), "tile/0/x001/x234/067.p/112"),
            (Tile(63, 999, 1), "tile/63/999.p/1"),
            (Tile(ENTRIES, 1000, 255), "tile/entries/x001/000.p/255"),
        ],
    )
    def test_the_specification_s_examples(self, tile: Tile, path: str) -> None:
        assert tile.path == path
        assert Tile.parse(path) == tile

    @given(st.integers(-1, 63), st.integers(0, 2**55 - 1), st.integers(1, 256))
    def test_parse_after_serialise(self, level: int, index: int, width: int) -> None:
        tile = Tile(level, index, width)
        assert Tile.parse(tile.path) == tile
        assert tile.full() == Tile(level, index)

    @given(
        st.text(alphabet="tile/0189x.pentrs\n", max_size=24).map("tile/".__add__)
        | st.from_regex(
            r"tile/([0-9]{1,3}|entries)/(x[0-9]{3}/){0,8}[0-9]{3}(\.p/[0-9]{1,4})?\n?", fullmatch=True
        )
    )
    def test_hostile_paths(self, path: str) -> None:
        try:
            tile = Tile.parse(path)
        except TileError:
            return
        assert tile.path == path

    @pytest.mark.parametrize(
        "path",
        [
            "", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile/0/00", "tile/0/0000",
            "tile/00/000", "tile/64/000", "tile/-1/000", "tile/01/000", "tile/0/x000/001",
            "tile/0/001/x001", "tile/0/x01/001", "tile/0/x001", "tile/0/001/001", "tile/0/000.p",
            "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/300",
            "tile/0/000.p/1000", "tile/0/000.p/1\n", "tile/0/000\n", "tile/data/000", "tile/8/0/000",
            "tile/0/../000", "tile/0/\u0661\u0661\u0661", "tile/0/X001/001",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
        ],
    )  # fmt: skip
    def test_negative_vectors(self, path: str) -> None:
        with pytest.raises(TileError):
            Tile.parse(path)

    @pytest.mark.parametrize(
        ("level", "index", "width"), [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)]
    )
    def test_no_such_tile(self, level: int, index: int, width: int) -> None:
        with pytest.raises(TileError):
            Tile(level, index, width)


class TestBundles:
    @given(st.lists(st.binary(max_size=50), max_size=10))
    def test_parse_after_serialise(self, entries: list[bytes]) -> None:
        assert tiles.decode_bundle(tiles.encode_bundle(entries), len(entries)) == entries

    @given(st.binary(max_size=40), st.integers(0, 5))
    def test_hostile_bytes(self, data: bytes, count: int) -> None:
        try:
            entries = tiles.decode_bundle(data, count)
        except TileError:
            return
        assert tiles.encode_bundle(entries) == data

    def test_named_negative_vectors(self) -> None:
        good = tiles.encode_bundle([b"one", b""])
        assert good == b"\0\3one\0\0"
        for cut in range(1, len(good) + 1):
            with pytest.raises(TileError, match="ends within entry"):
                tiles.decode_bundle(good[:-cut], 2)
        with pytest.raises(TileError, match="1 bytes after the last"):
            tiles.decode_bundle(good + b"\0", 2)
        with pytest.raises(TileError, match="2 bytes after the last"):
            tiles.decode_bundle(good, 1)

    def test_the_longest_entry(self) -> None:
        longest = b"x" * 65535
        assert tiles.decode_bundle(tiles.encode_bundle([longest]), 1) == [longest]
        with pytest.raises(TileError, match="65536 bytes does not fit"):
            tiles.encode_bundle([longest + b"x"])
        with pytest.raises(TileError, match="does not fit"):
            TileWriter().append([longest + b"x"])


class TestTilesBetween:
    def test_the_specification_s_example(self) -> None:
        paths = [tile.path for tile in tiles_between(0, 70_000)]
        assert sum(path.startswith("tile/0/") for path in paths) == 274
        assert paths[274 + 273] == "tile/0/273.p/112"
        assert paths[-3:] == ["tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]

    def test_a_full_tile_and_its_parent(self) -> None:
        assert [t.path for t in tiles_between(0, 256)] == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
        assert [t.path for t in tiles_between(255, 256)] == [
            "tile/entries/000",
            "tile/0/000",
            "tile/1/000.p/1",
        ]
        assert [t.path for t in tiles_between(256, 257)] == ["tile/entries/001.p/1", "tile/0/001.p/1"]

    def test_nothing_new(self) -> None:
        assert list(tiles_between(0, 0)) == []
        assert list(tiles_between(300, 300)) == []

    def test_the_largest_log_ends(self) -> None:
        last = list(tiles_between(2**63 - 2, 2**63 - 1))
        assert last == [Tile(ENTRIES, 2**55 - 1, 255), Tile(0, 2**55 - 1, 255)]

    @pytest.mark.parametrize(("old", "new"), [(1, 0), (-1, 0), (0, 2**63)])
    def test_a_log_never_shrinks(self, old: int, new: int) -> None:
        with pytest.raises(TileError, match="does not grow"):
            list(tiles_between(old, new))


class TestWriter:
    @pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537])
    def test_files_are_the_tiles_of_the_size(self, size: int) -> None:
        writer, files = TileWriter().append(ALL[:size])
        assert list(files) == [tile.path for tile in tiles_between(0, size)]
        assert writer.root() == merkle.root(LEAVES[:size])
        for path, data in files.items():
            tile = Tile.parse(path)
            if tile.level != ENTRIES:
                assert len(data) == 32 * tile.width

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(0, 700), max_size=6))
    @example([65_535, 1, 1])
    @example([256, 0, 256])
    def test_growth_by_steps_gives_the_same_files(self, steps: list[int]) -> None:
        writer, held, size = TileWriter(), dict[str, bytes](), 0
        for step in steps:
            before = writer
            writer, files = before.append(ALL[size : size + step])
            assert set(files) == {tile.path for tile in tiles_between(size, size + step)}
            assert before.size == size  # the old edge is as it was, should the write fail
            assert all(held.get(path, data) == data for path, data in files.items())  # immutable
            held |= files
            size += step
            assert writer == TileWriter.resume(held.get, size)
            assert writer.root() == merkle.root(LEAVES[:size])
        assert log_of(size).items() <= held.items()

    def test_an_empty_log(self) -> None:
        assert TileWriter().root() == EMPTY_ROOT
        assert TileWriter().append([]) == (TileWriter(), {})
        assert TileWriter.resume(nothing, 0) == TileWriter()

    def test_resume_needs_its_tiles(self) -> None:
        files = log_of(300)
        del files["tile/0/001.p/44"]
        with pytest.raises(TileError, match=r"tile/0/001\.p/44 at path: not there"):
            TileWriter.resume(files.get, 300)


class TestReader:
    @pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600])
    def test_root_proofs_and_entries(self, big_log: dict[str, bytes], size: int) -> None:
        self.check_all(big_log, size)

    @pytest.mark.usefixtures("untraced")
    @pytest.mark.parametrize("size", [65_536, 65_537, 70_000])
    def test_root_proofs_and_entries_of_three_levels(self, big_log: dict[str, bytes], size: int) -> None:
        self.check_all(big_log, size)

    def check_all(self, big_log: dict[str, bytes], size: int) -> None:
        files = big_log | log_of(size)
        reader = TileReader(files.get, size)
        root = reader.root()
        assert root == merkle.root(LEAVES[:size])
        assert list(reader.entries()) == ALL[:size]
        reader.check()
        for index in {0, 1, 254, 255, 256, size // 2, size - 1} & set(range(size)):
            proof = reader.inclusion_proof(index)
            assert proof == merkle.inclusion_proof(index, LEAVES[:size])
            merkle.verify_inclusion(reader.leaf_hash(index), index, size, proof, root)
        for old in {0, 1, 255, 256, 257, size // 3, size - 1, size} & set(range(size + 1)):
            proof = reader.consistency_proof(old)
            assert proof == merkle.consistency_proof(old, LEAVES[:size])

    @given(st.data())
    @settings(deadline=None, max_examples=50)
    def test_any_range_of_entries(self, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, 600))
        end = data.draw(st.integers(start, 600))
        assert list(TileReader(FILES_600.get, 600).entries(start, end)) == ALL[start:end]

    def test_older_sizes_are_cut_from_full_tiles(self, big_log: dict[str, bytes]) -> None:
        """Partial tiles may go once the full one exists; every old checkpoint stays provable."""
        for size in (1, 300, 65_535, 69_000):
            files = big_log | log_of(size)
            kept = {path: data for path, data in files.items() if path not in superseded(files)}
            assert len(kept) < len(files)
            reader = TileReader(kept.get, size)
            assert reader.root() == merkle.root(LEAVES[:size])
            assert list(reader.entries(size - 1)) == [ALL[size - 1]]

    def test_what_is_missing_or_has_another_length_is_named(self) -> None:
        files = log_of(600)
        for path in ("tile/0/002.p/88", "tile/entries/002.p/88"):
            with pytest.raises(TileError, match="not there"):
                read_all({p: d for p, d in files.items() if p != path}, 600)
            for data in (b"", files[path][:-1], files[path] + b"\0"):
                with pytest.raises(TileError):
                    read_all(files | {path: data}, 600)
        with pytest.raises(TileError, match=r"tile/0/000 at length: 8191 bytes, not 8192"):
            TileReader((files | {"tile/0/000": files["tile/0/000"][:-1]}).get, 600).leaf_hash(0)

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def test_any_flipped_byte_of_a_log_is_found(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(FILES_600)))
        at = data.draw(st.integers(0, len(FILES_600[path]) - 1))
        changed = bytearray(FILES_600[path])
        changed[at] ^= data.draw(st.integers(1, 255))
        with pytest.raises(FormatError):
            read_all(FILES_600 | {path: bytes(changed)}, 600)

    def test_a_changed_entry_with_a_changed_hash_is_found_one_level_up(self) -> None:
        hashes = bytearray(FILES_600["tile/0/001"])
        hashes[:32] = leaf_hash(b"other")
        bundle = tiles.encode_bundle([b"other", *ALL[257:512]])
        reader = TileReader((FILES_600 | {"tile/entries/001": bundle, "tile/0/001": bytes(hashes)}).get, 600)
        assert reader.root() == merkle.root(LEAVES[:600])  # it reads the widest hashes only
        assert list(reader.entries(256, 257)) == [b"other"]
        with pytest.raises(TileError, match=r"tile/1/000\.p/2 at byte 32: not the root of the tile below"):
            reader.check()

    def test_bounds(self) -> None:
        reader = TileReader(FILES_600.get, 600)
        for index in (-1, 600):
            with pytest.raises(ProofError, match=f"no leaf {index}"):
                reader.leaf_hash(index)
            with pytest.raises(ProofError, match=f"no leaf {index}"):
                reader.inclusion_proof(index)
        with pytest.raises(ProofError, match="not in order"):
            reader.consistency_proof(601)
        for start, end in ((-1, 5), (5, 4), (0, 601)):
            with pytest.raises(TileError, match="no entries"):
                list(reader.entries(start, end))
        for size in (-1, 2**63):
            with pytest.raises(TileError, match="no log has size"):
                TileReader(nothing, size)

    def test_few_tiles_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tiles, "_TILES_KEPT", 1)
        reader = TileReader(FILES_600.get, 600)
        assert reader.root() == merkle.root(LEAVES[:600])
        assert list(reader.entries()) == ALL[:600]


FILES_600 = log_of(600)


def read_all(files: dict[str, bytes], size: int) -> None:
    """What a verifier does with a whole log; raises where anything differs."""
    reader = TileReader(files.get, size)
    if reader.root() != merkle.root(LEAVES[:size]):
        raise ProofError("log", "another root")
    list(reader.entries())
    reader.check()


def test_published_tiles(tlog_data: Path) -> None:
    log = tlog_data / "tessera/testdata/log"
    entries = tiles.decode_bundle((log / "tile/entries/000.p/15").read_bytes(), 15)
    for size in range(1, 16):
        for path, data in TileWriter().append(entries[:size])[1].items():
            assert (log / path).read_bytes() == data


def test_the_root_of_an_older_size(big_log: dict[str, bytes]) -> None:
    reader = TileReader(big_log.get, LOG_SIZE)
    for size in (0, 1, 255, 256, 257, 65_537, LOG_SIZE):
        assert reader.root_at(size) == merkle.root(LEAVES[:size])
    for wrong in (-1, LOG_SIZE + 1):
        with pytest.raises(ProofError):
            reader.root_at(wrong)


def test_whether_a_tree_is_the_beginning() -> None:
    files, whole = log_of(600), merkle.root(LEAVES[:600])
    reader = TileReader(files.get, 600)
    for size in (0, 1, 256, 257, 600):
        assert reader.begins(size, merkle.root(LEAVES[:size]), whole)
        assert not reader.begins(size, leaf_hash(b"other"), whole)
    with pytest.raises(ProofError, match="no 601 leaves"):
        reader.begins(601, whole, whole)
    damaged = bytes(32) + files["tile/1/000.p/2"][32:]
    for changed in ({"tile/1/000.p/2": damaged}, {"tile/0/002.p/88": bytes(88 * 32)}):
        with pytest.raises(TileError, match="do not lead to the root"):
            TileReader((files | changed).get, 600).begins(300, merkle.root(LEAVES[:300]), whole)
    del files["tile/0/002.p/88"]
    with pytest.raises(TileError, match="not there"):
        TileReader(files.get, 600).begins(300, merkle.root(LEAVES[:300]), whole)
