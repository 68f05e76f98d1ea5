from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.tlog import encoding


@given(st.binary())
def test_base64_goes_both_ways(data: bytes) -> None:
    assert encoding.from_base64(encoding.to_base64(data), "x", 0) == data


@given(st.text(alphabet="AQgw=+/-_ \n\u00e9", max_size=8) | st.text(max_size=8))
def test_base64_has_one_spelling(text: str) -> None:
    try:
        data = encoding.from_base64(text, "x", 0)
    except FormatError:
        return
    assert encoding.to_base64(data) == text


@pytest.mark.parametrize(
    "text",
    ["QQ", "QQ=", "QR==", "QUI", "QUJ=", "QQ==\n", " QQ==", "QQ==QQ==", "Q-==", "\u00e9\u00e9\u00e9\u00e9"],
    ids=["unpadded", "half-padded", "bits-in-padding", "unpadded-2", "bits-in-padding-2", "trailing-newline",
         "leading-space", "joined", "url-alphabet", "not-ascii"],
)  # fmt: skip
def test_bad_base64(text: str) -> None:
    with pytest.raises(FormatError, match="x at line 3: "):
        encoding.from_base64(text, "x", "line 3")


def test_hash_has_32_bytes() -> None:
    assert encoding.hash_from_base64(encoding.to_base64(b"h" * 32), "x", 0) == b"h" * 32
    with pytest.raises(FormatError, match="this one 31"):
        encoding.hash_from_base64(encoding.to_base64(b"h" * 31), "x", 0)


@given(st.integers(0, 2**63 - 1))
def test_decimal(number: int) -> None:
    assert encoding.from_decimal(str(number), "x", 0) == number


@pytest.mark.parametrize(
    "text", ["", "00", "01", "+1", "-1", "1_0", " 1", "1 ", "1\n", "\u0661", "0x1", str(2**63), "9" * 5000]
)
def test_bad_decimal(text: str) -> None:
    with pytest.raises(FormatError, match="not a decimal"):
        encoding.from_decimal(text, "x", 0)


def test_text() -> None:
    assert encoding.text_of("a\n\u2014\n".encode(), "x") == "a\n\u2014\n"
    with pytest.raises(FormatError, match="x at byte 1: not UTF-8"):
        encoding.text_of(b"a\xff", "x")
    with pytest.raises(FormatError, match="x at byte 2: control character"):
        encoding.text_of(b"ab\r\n", "x")


def test_lines() -> None:
    assert list(encoding.lines_of("a\n\nb\n", "x")) == ["a", "", "b"]
    with pytest.raises(FormatError, match="does not end in a newline"):
        encoding.lines_of("a", "x")
