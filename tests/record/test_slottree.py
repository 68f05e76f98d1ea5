from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcon.errors import FormatError, LocalError
from memcon.record import slottree
from memcon.record.slottree import LANES, PATH_SIZE, SlotTree, root_from_path

KEY = bytes(range(32))
LEAVES = st.dictionaries(
    st.integers(0, LANES - 1), st.binary(min_size=1, max_size=8), min_size=1, max_size=12
)


@settings(deadline=None)
@given(LEAVES)
def test_every_path_leads_to_the_root(leaves: dict[int, bytes]) -> None:
    tree = SlotTree(KEY, leaves)
    for lane, leaf in leaves.items():
        assert root_from_path(lane, tree.salt(lane), leaf, tree.path(lane)) == tree.root


@settings(deadline=None)
@given(LEAVES, st.data())
def test_no_other_leaf_lane_salt_or_path_does(leaves: dict[int, bytes], draw: st.DataObject) -> None:
    tree = SlotTree(KEY, leaves)
    lane = draw.draw(st.sampled_from(sorted(leaves)))
    salt, path = tree.salt(lane), tree.path(lane)
    at = draw.draw(st.integers(0, PATH_SIZE - 1))
    bent = path[:at] + bytes([path[at] ^ 1]) + path[at + 1 :]
    other = draw.draw(st.integers(0, LANES - 1).filter(lambda n: n != lane))
    assert root_from_path(lane, salt, leaves[lane] + b"x", path) != tree.root
    assert root_from_path(lane, salt, leaves[lane], bent) != tree.root
    assert root_from_path(other, salt, leaves[lane], path) != tree.root
    assert root_from_path(lane, bytes(32), leaves[lane], path) != tree.root


def test_the_key_and_every_lane_count() -> None:
    roots = {SlotTree(KEY, {}).root, SlotTree(bytes(32), {}).root}
    roots |= {SlotTree(KEY, {lane: b"leaf"}).root for lane in (0, 1, 2, LANES - 1)}
    assert len(roots) == 6


@pytest.mark.parametrize("lane", [-1, LANES, 2**32, -(2**40)])
def test_lanes_outside_the_tree(lane: int) -> None:
    with pytest.raises(FormatError, match="a lane outside the tree"):
        SlotTree(KEY, {lane: b"leaf"})
    with pytest.raises(FormatError, match="lane path"):
        root_from_path(lane, bytes(32), b"leaf", bytes(PATH_SIZE))


def test_unused_lanes_and_short_paths() -> None:
    tree = SlotTree(KEY, {5: b"leaf"})
    with pytest.raises(LocalError, match="lane 4 of this slot is not used"):
        tree.path(4)  # a filler beside lane 5, and no leaf
    with pytest.raises(LocalError, match="lane 4 of this slot is not used"):
        tree.salt(4)
    with pytest.raises(FormatError, match="511 bytes of path"):
        root_from_path(5, tree.salt(5), b"leaf", tree.path(5)[:-1])


def test_note_leaves_that_could_not_be_read() -> None:
    for type_, lane in ((0, 1), (99, 1), (1, 0), (1, LANES)):
        with pytest.raises(LocalError, match="NOTE leaf"):
            slottree.NoteLeaf(type_, lane, 1, 1, 1, bytes(32)).encode()


RECORDS = [slottree.encode_slot_record(n, n, {0: b"slot", 9: b"leaf"}) for n in range(3)]
FILE = slottree.SLOTS_MAGIC + b"".join(RECORDS)


def test_a_torn_last_record_is_left_out_where_a_crash_may_leave_one() -> None:
    whole = len(FILE) - len(RECORDS[-1])
    for end in range(whole + 1, len(FILE)):
        records, at = slottree.decode_slot_records(FILE[:end], torn_ok=True)
        assert (len(records), at) == (2, whole)
        with pytest.raises(FormatError):
            slottree.decode_slot_records(FILE[:end])
    assert slottree.decode_slot_records(FILE, torn_ok=True) == slottree.decode_slot_records(FILE)


def _record(body: bytes) -> bytes:
    digest = hashlib.sha256(body).digest()
    return slottree.SLOTS_MAGIC + (len(body) + 32).to_bytes(4, "big") + body + digest


@pytest.mark.parametrize(
    ("lanes", "count", "problem"),
    [
        ([(2, b"b"), (1, b"a")], 2, "lane 1 out of order"),
        ([(1, b"b"), (1, b"a")], 2, "lane 1 out of order"),
        ([(LANES, b"a")], 1, "lane 65536 out of order or range"),
        ([(1, b"a")], 2**32 - 1, "lane needs 4 bytes"),
        ([(1, b"a")], 0, "9 bytes too many"),
    ],
)
def test_a_record_with_a_good_hash_and_bad_lanes(
    lanes: list[tuple[int, bytes]], count: int, problem: str
) -> None:
    body = bytes(16) + count.to_bytes(4, "big")
    body += b"".join(n.to_bytes(4, "big") + len(x).to_bytes(4, "big") + x for n, x in lanes)
    with pytest.raises(FormatError, match=problem):
        slottree.decode_slot_records(_record(body))
