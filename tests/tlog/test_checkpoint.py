from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.tlog.checkpoint import Checkpoint, CheckpointError
from memcon.tlog.merkle import EMPTY_ROOT, leaf_hash, root

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "cT1mW5wFI74+t0+qRyTBM+iqhWe4YuCDDiR466lWXmY="
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(
    LINES,
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(LINES, max_size=3).map(tuple),
)
def test_parse_after_serialise(origin: str, size: int, head: bytes, extensions: tuple[str, ...]) -> None:
    checkpoint = Checkpoint(origin, size, head, extensions)
    assert Checkpoint.parse(checkpoint.to_bytes()) == checkpoint


@given(st.binary(max_size=80))
@example(f"o\n1\n{ROOT}\n".encode())
def test_hostile_text(data: bytes) -> None:
    try:
        checkpoint = Checkpoint.parse(data)
    except FormatError:
        return
    assert checkpoint.to_bytes() == data


def test_own_vector(own_vectors: dict[str, Any]) -> None:
    body = own_vectors["checkpoint_body"].encode()
    checkpoint = Checkpoint.parse(body)
    assert (checkpoint.origin, checkpoint.size) == ("log.memcon.example/test", 300)
    assert checkpoint.root.hex() == own_vectors["root300"]
    assert checkpoint.to_bytes() == body


def test_empty_log() -> None:
    checkpoint = Checkpoint("log.example", 0, EMPTY_ROOT)
    text = checkpoint.to_bytes()
    assert text == b"log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert Checkpoint.parse(text) == checkpoint


NEGATIVE = {
    "empty": "",
    "two-lines": "o\n1\n",
    "no-last-newline": f"o\n1\n{ROOT}",
    "empty-origin": f"\n1\n{ROOT}\n",
    "leading-zero": f"o\n01\n{ROOT}\n",
    "zero-twice": f"o\n00\n{ROOT}\n",
    "plus": f"o\n+1\n{ROOT}\n",
    "negative": f"o\n-1\n{ROOT}\n",
    "size-over-int64": f"o\n{2**63}\n{ROOT}\n",
    "hex-size": f"o\n0x1\n{ROOT}\n",
    "space-after-size": f"o\n1 \n{ROOT}\n",
    "padding-bits": f"o\n1\n{ROOT[:-2]}Z=\n",
    "no-padding": f"o\n1\n{ROOT[:-1]}\n",
    "short-root": "o\n1\nAAAA\n",
    "crlf": f"o\r\n1\r\n{ROOT}\r\n",
    "empty-extension-line": f"o\n1\n{ROOT}\n\n",
    "empty-line-before-extension": f"o\n1\n{ROOT}\n\next\n",
    "tab-in-origin": f"o\tp\n1\n{ROOT}\n",
}


@pytest.mark.parametrize("text", NEGATIVE.values(), ids=NEGATIVE.keys())
def test_negative_vectors(text: str) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint.parse(text.encode())


@pytest.mark.parametrize(
    ("origin", "size", "head", "extensions"),
    [
        ("", 1, b"h" * 32, ()),
        ("a\nb", 1, b"h" * 32, ()),
        ("\ud800", 1, b"h" * 32, ()),
        ("o", -1, b"h" * 32, ()),
        ("o", 2**63, b"h" * 32, ()),
        ("o", 1, b"h" * 31, ()),
        ("o", 1, b"h" * 32, ("",)),
    ],
)
def test_nothing_unreadable_can_be_built(
    origin: str, size: int, head: bytes, extensions: tuple[str, ...]
) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint(origin, size, head, extensions)


def test_published_checkpoints(tlog_data: Path) -> None:
    """Sizes 0 to 15 of Tessera's test log: sizes and roots follow from its entries."""
    log = tlog_data / "tessera/testdata/log"
    bundle = (log / "tile/entries/000.p/15").read_bytes()
    leaves, at = [], 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        leaves.append(leaf_hash(bundle[at + 2 : at + 2 + length]))
        at += 2 + length
    for size in range(16):
        text = (log / f"checkpoint.{size}").read_bytes().split(b"\n\n")[0] + b"\n"
        assert Checkpoint.parse(text) == Checkpoint("example.com/log/testdata", size, root(leaves[:size]))
