from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tlog.conftest import ORIGIN, TestKey, signed

from memcon.errors import FormatError
from memcon.tlog import merkle
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import ProofError, leaf_hash
from memcon.tlog.note import COSIGNATURE_ED25519, ED25519, NoteError, SignatureError
from memcon.tlog.policy import Policy
from memcon.tlog.proof import InclusionProof, ProofFileError

ENTRIES = [b"entry %d" % n for n in range(300)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
TEXT = Checkpoint(ORIGIN, 300, merkle.root(LEAVES)).to_bytes()
LOG = TestKey(ORIGIN, ED25519, 9)
WITNESS = TestKey("w.example", COSIGNATURE_ED25519, 8)
NOTE = signed(TEXT, [LOG, WITNESS], 1_790_000_000)
POLICY = Policy.parse(f"log {LOG.key}\nwitness w {WITNESS.key}\nquorum w\n".encode())
LOG_ONLY = Policy.parse(f"log {LOG.key}\nquorum none\n".encode(), overlap=False)
PROOF = InclusionProof(7, tuple(merkle.inclusion_proof(7, LEAVES)), NOTE)
HASH_LINE = "A" * 43 + "=\n"


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple),
    st.none() | st.binary(max_size=20),
)
def test_parse_after_serialise(index: int, hashes: tuple[bytes, ...], extra: bytes | None) -> None:
    proof = InclusionProof(index, hashes, NOTE, extra)
    assert InclusionProof.parse(proof.to_bytes()) == proof


@given(
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from(["c2sp.org/tlog-proof@v1\n", "extra \n", "extra QQ==\n", "index 0\n", "index 1", "\n",
                         HASH_LINE, NOTE.to_bytes().decode(), "x"]),
        max_size=8,
    ).map(lambda parts: "".join(parts).encode())
)  # fmt: skip
def test_hostile_bytes(data: bytes) -> None:
    try:
        proof = InclusionProof.parse(data)
    except FormatError:
        return
    assert proof.to_bytes() == data


def test_the_file_as_it_is_written() -> None:
    one = InclusionProof(7, (bytes(32),), NOTE, b"A")
    head = b"c2sp.org/tlog-proof@v1\nextra QQ==\nindex 7\n" + HASH_LINE.encode() + b"\n"
    assert one.to_bytes() == head + NOTE.to_bytes()
    single = InclusionProof(0, (), NOTE)
    assert single.to_bytes() == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + NOTE.to_bytes()


@pytest.mark.parametrize("index", [0, 7, 255, 256, 299])
def test_every_entry_verifies(index: int) -> None:
    proof = InclusionProof(index, tuple(merkle.inclusion_proof(index, LEAVES)), NOTE)
    verdict = InclusionProof.parse(proof.to_bytes()).verify(ENTRIES[index], POLICY)
    assert (verdict.checkpoint.size, verdict.quorum_time) == (300, 1_790_000_000)


def test_what_does_not_verify() -> None:
    with pytest.raises(ProofError, match="another root"):
        PROOF.verify(ENTRIES[8], POLICY)
    alone = InclusionProof(7, PROOF.hashes, signed(TEXT, [LOG]))
    with pytest.raises(ProofFileError, match="no quorum"):
        alone.verify(ENTRIES[7], POLICY)
    assert alone.verify(ENTRIES[7], LOG_ONLY).quorum_time is None
    with pytest.raises(SignatureError):
        InclusionProof(7, PROOF.hashes, signed(TEXT, [WITNESS], 5)).verify(ENTRIES[7], POLICY)
    with pytest.raises(ProofError, match="no leaf 300"):
        InclusionProof(300, PROOF.hashes, NOTE).verify(ENTRIES[7], POLICY)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_flipped_byte_fails(data: st.DataObject) -> None:
    changed = bytearray(PROOF.to_bytes())
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FormatError):
        InclusionProof.parse(bytes(changed)).verify(ENTRIES[7], POLICY)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(PROOF.to_bytes()) - 1))
def test_any_cut_fails(end: int) -> None:
    with pytest.raises(FormatError):
        InclusionProof.parse(PROOF.to_bytes()[:end]).verify(ENTRIES[7], POLICY)


HEAD = "c2sp.org/tlog-proof@v1\n"
NEGATIVE = {
    "empty": "",
    "header-alone": HEAD,
    "no-empty-line": f"{HEAD}index 7\n",
    "other-version": "c2sp.org/tlog-proof@v2\nindex 7\n\n",
    "no-index": f"{HEAD}\n",
    "extra-alone": f"{HEAD}extra QQ==\n\n",
    "extra-after-index": f"{HEAD}index 7\nextra QQ==\n\n",
    "extra-twice": f"{HEAD}extra QQ==\nextra QQ==\nindex 7\n\n",
    "extra-not-canonical": f"{HEAD}extra QR==\nindex 7\n\n",
    "index-with-zero": f"{HEAD}index 07\n\n",
    "index-negative": f"{HEAD}index -7\n\n",
    "index-over-int64": f"{HEAD}index {2**63}\n\n",
    "index-with-two-spaces": f"{HEAD}index  7\n\n",
    "hash-not-canonical": f"{HEAD}index 7\n{'A' * 42}B=\n\n",
    "short-hash": f"{HEAD}index 7\nQQ==\n\n",
    "64-hashes": f"{HEAD}index 7\n{HASH_LINE * 64}\n",
    "carriage-return": f"{HEAD}index 7\r\n\n",
}


@pytest.mark.parametrize("head", NEGATIVE.values(), ids=NEGATIVE.keys())
def test_negative_vectors(head: str) -> None:
    with pytest.raises(ProofFileError):
        InclusionProof.parse(head.encode() + NOTE.to_bytes())


def test_the_note_is_read_as_strictly() -> None:
    with pytest.raises(NoteError):
        InclusionProof.parse(PROOF.to_bytes() + b"x")


def test_nothing_unreadable_can_be_built() -> None:
    with pytest.raises(ProofFileError, match="no index -1"):
        InclusionProof(-1, (), NOTE)
    with pytest.raises(ProofFileError, match="hashes of 32 bytes"):
        InclusionProof(0, (b"short",), NOTE)
    with pytest.raises(ProofFileError, match="longer than"):
        InclusionProof.parse(b"\0" * (2**21 + 1))
