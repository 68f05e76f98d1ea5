from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.tlog import merkle
from memcon.tlog.merkle import EMPTY_ROOT, Frontier, ProofError, leaf_hash, node_hash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LEAVES = [leaf_hash(b"%d" % i) for i in range(3000)]
ROOTS: dict[int, bytes] = {}


def plain_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, written down as it stands there."""
    if len(leaves) == 0:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node_hash(plain_root(leaves[:k]), plain_root(leaves[k:]))


def root_at(size: int) -> bytes:
    if size not in ROOTS:
        ROOTS[size] = merkle.root(LEAVES[:size])
    return ROOTS[size]


def test_rfc6962_hashes() -> None:
    # RFC 6962 section 2.1: the empty tree; the leaf of an empty entry is H(00).
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.root([]) == EMPTY_ROOT


@pytest.mark.parametrize("size", range(140))
def test_root_is_the_recursive_definition(size: int) -> None:
    assert merkle.root(LEAVES[:size]) == plain_root(LEAVES[:size])


@pytest.mark.parametrize("size", range(1, 71))
def test_inclusion_holds_for_every_leaf(size: int) -> None:
    for index in range(size):
        proof = merkle.inclusion_proof(index, LEAVES[:size])
        merkle.verify_inclusion(LEAVES[index], index, size, proof, root_at(size))


@pytest.mark.parametrize("size2", range(71))
def test_consistency_holds_for_every_prefix(size2: int) -> None:
    for size1 in range(size2 + 1):
        proof = merkle.consistency_proof(size1, LEAVES[:size2])
        merkle.verify_consistency(size1, size2, proof, root_at(size1), root_at(size2))


@given(st.data())
def test_larger_trees(data: st.DataObject) -> None:
    size2 = data.draw(st.integers(1, len(LEAVES)))
    size1 = data.draw(st.integers(0, size2))
    index = data.draw(st.integers(0, size2 - 1))
    merkle.verify_inclusion(
        LEAVES[index], index, size2, merkle.inclusion_proof(index, LEAVES[:size2]), root_at(size2)
    )
    merkle.verify_consistency(
        size1, size2, merkle.consistency_proof(size1, LEAVES[:size2]), root_at(size1), root_at(size2)
    )


@given(st.data())
def test_any_flipped_bit_of_an_inclusion_proof_fails(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    parts = [LEAVES[index], root_at(size), *merkle.inclusion_proof(index, LEAVES[:size])]
    at = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, 255))
    parts[at] = (int.from_bytes(parts[at], "big") ^ (1 << bit)).to_bytes(32, "big")
    with pytest.raises(ProofError):
        merkle.verify_inclusion(parts[0], index, size, parts[2:], parts[1])


@given(st.data())
def test_any_flipped_bit_of_a_consistency_proof_fails(data: st.DataObject) -> None:
    size2 = data.draw(st.integers(1, 300))
    size1 = data.draw(st.integers(1, size2))
    parts = [root_at(size1), root_at(size2), *merkle.consistency_proof(size1, LEAVES[:size2])]
    at = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, 255))
    parts[at] = (int.from_bytes(parts[at], "big") ^ (1 << bit)).to_bytes(32, "big")
    with pytest.raises(ProofError):
        merkle.verify_consistency(size1, size2, parts[2:], parts[0], parts[1])


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 10), st.integers(0, 10))
def test_proofs_cut_or_lengthened_fail(size1: int, size2: int, drop: int, more: int) -> None:
    size1, size2 = sorted((size1, size2))
    proof = merkle.consistency_proof(size1, LEAVES[:size2])
    changed = [*proof[: max(0, len(proof) - drop)], *LEAVES[:more]]
    if changed != proof:
        with pytest.raises(ProofError):
            merkle.verify_consistency(size1, size2, changed, root_at(size1), root_at(size2))
    path = merkle.inclusion_proof(size1 - 1, LEAVES[:size2])
    changed = [*path[: max(0, len(path) - drop)], *LEAVES[:more]]
    if changed != path:
        with pytest.raises(ProofError):
            merkle.verify_inclusion(LEAVES[size1 - 1], size1 - 1, size2, changed, root_at(size2))


@given(
    st.integers(-1, 2**64),
    st.integers(-1, 2**64),
    st.lists(st.binary(min_size=31, max_size=33), max_size=6),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
)
def test_hostile_proofs_raise_only_proof_errors(
    one: int, two: int, proof: list[bytes], root1: bytes, root2: bytes
) -> None:
    with pytest.raises(ProofError):
        merkle.verify_inclusion(root1, one, two, [*proof, b""], root2)
    with pytest.raises(ProofError):
        merkle.verify_consistency(one, two, [*proof, b""], root1, root2)


class TestChosenConventions:
    """Where implementations differ; see the module's text."""

    def test_the_empty_tree_is_consistent_with_itself_and_any_other(self) -> None:
        merkle.verify_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
        merkle.verify_consistency(0, 5, [], EMPTY_ROOT, root_at(5))

    def test_from_size_zero_the_proof_is_empty(self) -> None:
        with pytest.raises(ProofError, match="nothing is to be proved"):
            merkle.verify_consistency(0, 5, [LEAVES[0]], EMPTY_ROOT, root_at(5))

    @pytest.mark.parametrize(("size2", "roots"), [(5, (1, 5)), (0, (0, 1)), (0, (1, 0)), (0, (1, 1))])
    def test_an_empty_tree_has_the_empty_root(self, size2: int, roots: tuple[int, int]) -> None:
        with pytest.raises(ProofError, match="an empty tree has another root"):
            merkle.verify_consistency(0, size2, [], root_at(roots[0]), root_at(roots[1]))

    def test_equal_sizes_have_equal_roots_and_no_proof(self) -> None:
        merkle.verify_consistency(5, 5, [], root_at(5), root_at(5))
        with pytest.raises(ProofError, match="two roots for one size"):
            merkle.verify_consistency(5, 5, [], root_at(5), root_at(6))
        with pytest.raises(ProofError, match="nothing is to be proved"):
            merkle.verify_consistency(5, 5, [LEAVES[0]], root_at(5), root_at(5))

    @pytest.mark.parametrize("short", [b"", b"\0" * 31])
    def test_every_hash_has_32_bytes(self, short: bytes) -> None:
        with pytest.raises(ProofError, match="32 bytes"):
            merkle.verify_inclusion(short, 0, 1, [], short)
        with pytest.raises(ProofError, match="32 bytes"):
            merkle.verify_consistency(0, 5, [], EMPTY_ROOT, short)


def test_the_error_says_what_does_not_hold() -> None:
    path = merkle.inclusion_proof(3, LEAVES[:8])
    with pytest.raises(ProofError, match="at index: no leaf 8 in a tree of 8"):
        merkle.verify_inclusion(LEAVES[3], 8, 8, path, root_at(8))
    with pytest.raises(ProofError, match="longer"):
        merkle.verify_inclusion(LEAVES[3], 3, 8, [*path, LEAVES[0]], root_at(8))
    with pytest.raises(ProofError, match="shorter"):
        merkle.verify_inclusion(LEAVES[3], 3, 8, path[:2], root_at(8))
    with pytest.raises(ProofError, match="another root"):
        merkle.verify_inclusion(LEAVES[3], 3, 8, path, root_at(7))
    proof = merkle.consistency_proof(6, LEAVES[:8])
    with pytest.raises(ProofError, match="not in order"):
        merkle.verify_consistency(8, 6, proof, root_at(8), root_at(6))
    with pytest.raises(ProofError, match="empty"):
        merkle.verify_consistency(6, 8, [], root_at(6), root_at(8))
    with pytest.raises(ProofError, match="longer"):
        merkle.verify_consistency(6, 8, [*proof, LEAVES[0]], root_at(6), root_at(8))
    with pytest.raises(ProofError, match="shorter"):
        merkle.verify_consistency(6, 8, proof[:1], root_at(6), root_at(8))
    with pytest.raises(ProofError, match="old root"):
        merkle.verify_consistency(6, 8, proof, root_at(5), root_at(8))
    with pytest.raises(ProofError, match="new root"):
        merkle.verify_consistency(6, 8, proof, root_at(6), root_at(7))


def test_no_proof_can_be_made_for_what_is_not_there() -> None:
    with pytest.raises(ProofError, match="no leaf 3"):
        merkle.inclusion_proof(3, LEAVES[:3])
    with pytest.raises(ProofError, match="not in order"):
        merkle.consistency_proof(4, LEAVES[:3])


class TestFrontier:
    def test_root_after_every_append(self) -> None:
        frontier = Frontier()
        assert frontier.root() == EMPTY_ROOT
        for size, leaf in enumerate(LEAVES[:300], 1):
            frontier.append(leaf)
            assert (frontier.size, frontier.root()) == (size, root_at(size))

    @given(st.integers(0, 600), st.integers(0, 600))
    def test_state_continues_where_it_was_left(self, first: int, more: int) -> None:
        frontier = Frontier()
        frontier.extend(LEAVES[:first])
        again = Frontier.from_bytes(frontier.to_bytes())
        copy = frontier.copy()
        assert again.hashes == frontier.hashes == copy.hashes
        again.extend(LEAVES[first : first + more])
        assert again.root() == root_at(first + more)
        assert copy.size == frontier.size == first

    @given(st.binary(max_size=200))
    def test_hostile_state(self, data: bytes) -> None:
        try:
            frontier = Frontier.from_bytes(data)
        except ProofError:
            return
        assert frontier.to_bytes() == data

    @pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 9, b"\xff" * 8, b"\0" * 7 + b"\3" + b"h" * 32])
    def test_named_bad_states(self, data: bytes) -> None:
        with pytest.raises(ProofError):
            Frontier.from_bytes(data)

    def test_bad_size_and_hash(self) -> None:
        with pytest.raises(ProofError, match="no tree has size -1"):
            Frontier(-1)
        with pytest.raises(ProofError, match="32 bytes"):
            Frontier(1, [b"short"])


def test_own_vectors(own_vectors: dict[str, Any]) -> None:
    leaves = [leaf_hash(b"memcon test leaf %d" % i) for i in range(300)]
    for size in (1, 255, 256, 257, 300):
        assert merkle.root(leaves[:size]).hex() == own_vectors[f"root{size}"]
    assert [h.hex() for h in merkle.inclusion_proof(7, leaves)] == own_vectors["incl_7_300"]
    assert [h.hex() for h in merkle.consistency_proof(255, leaves)] == own_vectors["cons_255_300"]


def decoded(vector: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(vector[name]) for name in names]


def test_published_inclusion_vectors(tlog_data: Path) -> None:
    files = sorted((tlog_data / "merkle/testdata/inclusion").rglob("*.json"))
    assert len(files) == 98
    differing = []
    for file in files:
        vector = json.loads(file.read_text())
        leaf, root = decoded(vector, "leafHash", "root")
        proof = [base64.b64decode(one) for one in vector["proof"] or []]
        try:
            merkle.verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], proof, root)
            failed = False
        except ProofError:
            failed = True
        if failed != vector["wantErr"]:
            differing.append(vector["desc"])
    assert differing == []


def test_published_consistency_vectors(tlog_data: Path) -> None:
    files = sorted((tlog_data / "merkle/testdata/consistency").rglob("*.json"))
    assert len(files) == 98
    differing = []
    for file in files:
        vector = json.loads(file.read_text())
        root1, root2 = decoded(vector, "root1", "root2")
        proof = [base64.b64decode(one) for one in vector["proof"] or []]
        try:
            merkle.verify_consistency(vector["size1"], vector["size2"], proof, root1, root2)
            failed = False
        except ProofError:
            failed = True
        if failed != vector["wantErr"]:
            differing.append(vector["desc"])
    # Roots of 12 bytes; all our hashes have 32.
    assert differing == ["sizes are equal (one) and proof is empty"]
