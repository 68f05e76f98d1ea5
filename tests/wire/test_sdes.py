"""Key lines: read, chosen, answered, and blanked in what is shown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.conftest import outcome

from memcon.errors import FormatError
from memcon.wire import sdes
from memcon.wire.sdes import SUITES, MasterKey

KEY = bytes(range(30))
B64 = base64.b64encode(KEY).decode()
LINE = f"1 AES_CM_128_HMAC_SHA1_80 inline:{B64}"


@pytest.mark.parametrize("name", SUITES)
def test_every_suite(name: str) -> None:
    suite = SUITES[name]
    material = bytes(range(suite.key + suite.salt))
    read = sdes.parse(f"7 {name} inline:{base64.b64encode(material).decode()}")
    assert (read.tag, read.suite) == ("7", suite)
    assert read.keys == (MasterKey(material[: suite.key], material[suite.key :]),)
    ours = sdes.parse(sdes.answer(read, material[::-1]))
    assert (ours.tag, ours.suite) == ("7", suite)  # the answer repeats the tag (RFC 4568 §5.1.2)


@pytest.mark.parametrize(
    ("text", "mkis"),
    [
        (LINE, [b""]),
        (LINE.rstrip("="), [b""]),
        (f"{LINE}|2^48", [b""]),
        (f"{LINE}|1048576|1:4", [b"\0\0\0\1"]),
        (f"{LINE}|1:1", [b"\1"]),
        (f"{LINE}|2^20|1:4;inline:{B64}|2^20|2:4", [b"\0\0\0\1", b"\0\0\0\2"]),
        (f"{LINE} WSH=64 kdr=0 UNENCRYPTED_SRTCP", [b""]),
        (LINE.lower().replace("aes", "Aes").replace(B64.lower(), B64), [b""]),
    ],
)
def test_keys_lifetimes_and_names(text: str, mkis: list[bytes]) -> None:
    assert [key.mki for key in sdes.parse(text).keys] == mkis


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 AES_CM_128_HMAC_SHA1_80",
        LINE.replace("1 ", "one ", 1),
        LINE.replace("AES_CM_128", "F8_128"),
        LINE.replace("inline", "uri"),
        LINE.replace(B64, B64[:-4]),
        LINE.replace(B64, B64 + "AAAA"),
        LINE.replace(B64, "not base 64!"),
        f"1 AES_256_CM_HMAC_SHA1_80 inline:{B64}",
        f"{LINE} KDR=1",
        f"{LINE} UNENCRYPTED_SRTP",
        f"{LINE} UNAUTHENTICATED_SRTP",
        f"{LINE}|x:4",
        f"{LINE}|1:0",
        f"{LINE}|1:129",
        f"{LINE}|256:1",
        f"{LINE}|1:4;inline:{B64}",  # of two keys, each needs a name
        f"{LINE}|1:4;inline:{B64}|1:4",
        f"{LINE}|1:4;inline:{B64}|1:2",
        "1 AES_CM_128_HMAC_SHA1_80 ;;;",
        f"1 AES_CM_128_HMAC_SHA1_80 {';'.join(f'inline:{B64}|{n}:2' for n in range(17))}",
    ],
)
def test_lines_that_cannot_be_used(text: str) -> None:
    with pytest.raises(FormatError):
        sdes.parse(text)


def test_the_first_usable_line_is_chosen() -> None:
    lines = ["1 F8_128_HMAC_SHA1_80 inline:AAAA", LINE.replace("1 ", "2 ", 1), LINE.replace("1 ", "3 ", 1)]
    chosen = sdes.choose(lines)
    assert chosen is not None
    assert (chosen[0], chosen[1].tag) == (lines[1], "2")
    assert sdes.choose(lines[:1]) is None


@given(st.text(max_size=120))
def test_any_text_is_a_line_or_a_format_error(text: str) -> None:
    outcome(sdes.parse, text)


MESSAGE = f"""INVITE sip:a@b SIP/2.0\r
Subject: a=crypto: is no line here\r
\r
v=0\r
m=audio 1 RTP/SAVP 0\r
a=crypto:{LINE}|2^31|1:4\r
a=crypto:2 AEAD_AES_128_GCM inline:{B64};inline:{B64[:8]} WSH=64\r
a=label:1\r
\ta=CRYPTO :3 X inline:{B64}\r
k=base64:{B64}\r
a=sendonly\r
""".encode()


def test_keys_are_blanked_and_put_back() -> None:
    blanked, lines = sdes.conceal(MESSAGE)
    assert len(blanked) == len(MESSAGE)  # so that Content-Length stays right
    assert B64.encode() not in blanked
    assert b"inline:****" in blanked
    assert b"|2^31|1:4\r\n" in blanked  # what is no secret stays
    assert len(lines) == 4
    assert b"".join(lines).count(B64.encode()) == 4
    assert sdes.reveal(blanked, lines) == MESSAGE


def test_a_message_without_keys_is_as_it_was() -> None:
    plain = MESSAGE.partition(b"\r\n\r\n")[0]
    assert sdes.conceal(plain) == (plain, ())
    assert sdes.reveal(plain, ()) == plain


@pytest.mark.parametrize(
    "change",
    [lambda lines: lines[:-1], lambda lines: (*lines, lines[0]), lambda lines: tuple(reversed(lines))],
)
def test_lines_of_another_message_do_not_fit(change: object) -> None:
    blanked, lines = sdes.conceal(MESSAGE)
    with pytest.raises(FormatError, match="do not belong"):
        sdes.reveal(blanked, change(lines))  # type: ignore[operator]  # a function of the lines


@given(
    st.lists(
        st.sampled_from(
            [b"a=crypto:1 X inline:abc|2^4\r\n", b"a=crypto:", b"k=clear:pass", b"inline:x", b"\r", b"\n",
             b" \0a=Crypto\t:1 x INLINE:q;inline:r|1:2", b"a=label:1\n", b"=", b"|", b"*"]
        ),
        max_size=30,
    )
)  # fmt: skip
def test_whatever_the_bytes_they_come_back(pieces: list[bytes]) -> None:
    message = b"".join(pieces)
    blanked, lines = sdes.conceal(message)
    assert len(blanked) == len(message)
    if b"inline:*" not in message.lower() and b"clear:*" not in message.lower():
        assert sdes.reveal(blanked, lines) == message


@pytest.mark.parametrize("word", [b"inline", b"INLINE", b"Clear", b"BASE64"])
def test_a_key_is_blanked_however_its_word_is_written(word: bytes) -> None:
    line = b"k=" + word + b":c2VjcmV0"
    blanked, lines = sdes.conceal(b"v=0\r\n" + line + b"\r\n")
    assert blanked == b"v=0\r\nk=" + word + b":********\r\n"
    assert lines == (line,)
    assert sdes.conceal(b"INVITE sip:x SIP/2.0\r\n") == (b"INVITE sip:x SIP/2.0\r\n", ())
