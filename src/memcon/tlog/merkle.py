"""The Merkle tree of RFC 6962 section 2.1 and RFC 9162 section 2.1, over SHA-256.

    leaf = SHA-256(00 || entry)      node = SHA-256(01 || left || right)

A tree of n > 1 leaves splits at the largest power of two below n. Every proof is a list of roots
of sub-ranges of the leaves, from the bottom up; the functions `inclusion_ranges` and
`consistency_ranges` name these ranges, so that leaves in memory and tiles on a disk give the same
proofs by the same rule.

Where the published implementations differ, memcon chose:
- every hash has 32 bytes, also in an empty proof;
- the empty tree is consistent with every tree: from size 0 the proof is empty and root1 is
  `EMPTY_ROOT` (a witness meets every log that way); between equal sizes the proof is empty and
  the roots are equal.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.tlog.encoding import MAX_INTEGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""


class ProofError(FormatError):
    """A proof, or what it is checked against, does not hold."""


def leaf_hash(data: bytes) -> bytes:
    """The 32-byte hash of one entry."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash over two children."""
    return sha256(b"\1" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of the leaves, `EMPTY_ROOT` if there are none."""
    if not leaf_hashes:
        return EMPTY_ROOT
    level = list(leaf_hashes)
    # Pairing from the left and lifting an odd last node unchanged gives exactly the RFC's split.
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\1" + left + right).digest() for left, right in pairs] + odd
    return level[0]


def _split(count: int) -> int:
    """The largest power of two below `count` (> 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def complete_subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """A range [start, end) that stands in a tree, as complete subtrees (level, index), left to right.

    Level h, index i is the subtree over the leaves [i * 2^h, (i + 1) * 2^h).
    """
    parts = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append((level, start >> level))
        start += 1 << level
    return parts


def fold(hashes: Sequence[bytes]) -> bytes:
    """One root over the hashes of complete subtrees of falling size (at least one), left to right."""
    *rest, result = hashes
    for left in reversed(rest):
        result = node_hash(left, result)
    return result


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The ranges whose roots prove leaf `index` in a tree of `size` (RFC 9162 section 2.1.3.1)."""
    if not 0 <= index < size <= MAX_INTEGER:
        raise ProofError("inclusion proof", f"no leaf {index} in a tree of {size}", where="index")
    start, end, ranges = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(size1: int, size2: int) -> list[tuple[int, int]]:
    """The ranges whose roots prove that tree `size1` is a prefix of `size2` (RFC 9162 section 2.1.4.1)."""
    if not 0 <= size1 <= size2 <= MAX_INTEGER:
        raise ProofError("consistency proof", f"sizes {size1} and {size2} are not in order", where="size")
    if size1 == 0:
        return []
    start, end, ranges = 0, size2, []
    while end != size1:
        middle = start + _split(end - start)
        if size1 <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start > 0:  # otherwise the old root itself, which the verifier has
        ranges.append((start, end))
    return ranges[::-1]


def inclusion_proof(index: int, leaf_hashes: Sequence[bytes]) -> list[bytes]:
    """The audit path of leaf `index`, from its sibling up; raises `ProofError` if there is no such leaf."""
    return [root(leaf_hashes[start:end]) for start, end in inclusion_ranges(index, len(leaf_hashes))]


def consistency_proof(size1: int, leaf_hashes: Sequence[bytes]) -> list[bytes]:
    """The proof that the first `size1` leaves are a prefix of all; empty for 0 and for all."""
    return [root(leaf_hashes[start:end]) for start, end in consistency_ranges(size1, len(leaf_hashes))]


def _check_hashes(what: str, **hashes: bytes | Sequence[bytes]) -> None:
    for name, value in hashes.items():
        for one in [value] if isinstance(value, bytes) else value:
            if len(one) != HASH_SIZE:
                raise ProofError(what, f"a hash has 32 bytes, this one {len(one)}", where=name)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], tree_root: bytes) -> None:
    """Check that the leaf hash `leaf` stands at `index` in the tree (RFC 9162 section 2.1.3.2).

    Raises `ProofError` saying what does not hold.
    """
    what = "inclusion proof"
    _check_hashes(what, leaf=leaf, proof=proof, root=tree_root)
    if not 0 <= index < size <= MAX_INTEGER:
        raise ProofError(what, f"no leaf {index} in a tree of {size}", where="index")
    node, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError(what, "longer than the path to the root", where="proof")
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1:  # a lone last node is lifted until it is a right child
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    if last != 0:
        raise ProofError(what, "shorter than the path to the root", where="proof")
    if result != tree_root:
        raise ProofError(what, "leads to another root", where="root")


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Check that the tree (size1, root1) is a prefix of (size2, root2) (RFC 9162 section 2.1.4.2).

    Raises `ProofError` saying what does not hold. For size 0 and equal sizes see the module's text.
    """
    what = "consistency proof"
    _check_hashes(what, proof=proof, root1=root1, root2=root2)
    if not 0 <= size1 <= size2 <= MAX_INTEGER:
        raise ProofError(what, f"sizes {size1} and {size2} are not in order", where="size")
    for size, one, name in ((size1, root1, "root1"), (size2, root2, "root2")):
        if size == 0 and one != EMPTY_ROOT:
            raise ProofError(what, "an empty tree has another root", where=name)
    if size1 in (0, size2):
        if proof:
            raise ProofError(what, "nothing is to be proved, yet there are hashes", where="proof")
        if size1 == size2 and root1 != root2:
            raise ProofError(what, "two roots for one size", where="root2")
        return
    _verify_growth(size1, size2, proof, root1, root2)


def _verify_growth(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """RFC 9162 section 2.1.4.2 for 0 < size1 < size2."""
    what = "consistency proof"
    path = list(proof)
    if size1 & (size1 - 1) == 0:  # an old tree that is one complete subtree starts the path itself
        path.insert(0, root1)
    if not path:
        raise ProofError(what, "empty", where="proof")
    node, last = size1 - 1, size2 - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError(what, "longer than the path to the root", where="proof")
        if node & 1 or node == last:
            old = node_hash(sibling, old)
            new = node_hash(sibling, new)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        node >>= 1
        last >>= 1
    if last != 0:
        raise ProofError(what, "shorter than the path to the root", where="proof")
    if old != root1:
        raise ProofError(what, "leads to another old root", where="root1")
    if new != root2:
        raise ProofError(what, "leads to another new root", where="root2")


class Frontier:
    """The right edge of a growing tree: all that is needed to append leaves and to know the root.

    Holds the roots of the complete subtrees, largest first, at most 63 hashes.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if not 0 <= size <= MAX_INTEGER:
            raise ProofError("frontier", f"no tree has size {size}", where="size")
        if len(hashes) != size.bit_count():
            raise ProofError("frontier", f"size {size} needs {size.bit_count()} hashes, not {len(hashes)}")
        _check_hashes("frontier", hashes=hashes)
        self._size = size
        self._hashes = list(hashes)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, largest first."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        size, hashes = self._size, self._hashes
        while size & 1:
            leaf = sha256(b"\1" + hashes.pop() + leaf).digest()
            size >>= 1
        hashes.append(leaf)
        self._size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The root at the present size."""
        return fold(self._hashes) if self._hashes else EMPTY_ROOT

    def copy(self) -> Frontier:
        """An independent frontier with the same leaves."""
        return Frontier(self._size, self._hashes)

    def to_bytes(self) -> bytes:
        """The state: u64 big-endian size, then the hashes."""
        return self._size.to_bytes(8, "big") + b"".join(self._hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """Read `to_bytes` back; raises `ProofError` on anything else."""
        if len(data) < 8 or (len(data) - 8) % HASH_SIZE:
            raise ProofError("frontier", f"{len(data)} bytes are not a size and hashes", where="length")
        hashes = [data[at : at + HASH_SIZE] for at in range(8, len(data), HASH_SIZE)]
        return cls(int.from_bytes(data[:8], "big"), hashes)


def root_of(size: int, subtree: Callable[[int, int], bytes]) -> bytes:
    """The root of a tree whose complete subtrees `subtree(level, index)` can hash."""
    return range_root(0, size, subtree) if size else EMPTY_ROOT


def range_root(start: int, end: int, subtree: Callable[[int, int], bytes]) -> bytes:
    """The root over one range of a proof, from the complete subtrees in it."""
    return fold([subtree(level, index) for level, index in complete_subtrees(start, end)])
