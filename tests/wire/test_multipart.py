"""Multipart bodies as they really come."""

from __future__ import annotations

import pytest
from tests.wire.conftest import METADATA, OFFER, multipart

from memcon.wire.multipart import MAX_PARTS, parse


def test_exact_bytes_and_headers() -> None:
    kind, body = multipart(("application/sdp", OFFER), ("application/rs-metadata", METADATA))
    bodies = parse(kind, body)
    assert bodies.oddities == ()
    assert bodies.sdp is not None
    assert bodies.metadata is not None
    assert bodies.sdp.body == OFFER
    assert bodies.metadata.body == METADATA
    assert bodies.sdp.raw == b"Content-Type: application/sdp\r\n\r\n" + OFFER
    assert bodies.sdp.header("content-type") == "application/sdp"
    assert bodies.sdp.header("content-id") is None


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b"\n--b\nContent-Type:a/b\n\nx\n--b--\nepilogue", [("a/b", b"x")]),
        (b"preamble\n--b \nContent-Type: a/b\n\nx\n\n--b--", [("a/b", b"x\n")]),
        (b"--b\r\nContent-Type: a/b\r\n\r\nx\r\n--bb\r\n--b--", [("a/b", b"x\r\n--bb")]),
        (b"--b\r\n\r\nx\r\n--b\r\n--b--\r\n", [("", b"x"), ("", b"")]),
        (b"--b--", []),
    ],
)
def test_delimiters(body: bytes, parts: list[tuple[str, bytes]]) -> None:
    assert [(p.kind, p.body) for p in parse("multipart/mixed;boundary=b", body).parts] == parts


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n--b"])
def test_a_missing_closing_boundary_is_accepted(end: bytes) -> None:
    bodies = parse('multipart/mixed; boundary="b"', b"--b\nContent-Type: a/b\n\nx" + end)
    assert "no closing boundary" in bodies.oddities
    assert bodies.parts[0].body.strip() == b"x"


def test_a_wrong_or_absent_boundary_is_guessed() -> None:
    body = b"--real\nContent-Type: a/b\n\nx\n--real--"
    for kind, oddity in (
        ("multipart/mixed;boundary=b", "the boundary does not occur in the body"),
        ("multipart/mixed", "no boundary parameter"),
    ):
        bodies = parse(kind, body)
        assert bodies.oddities == (oddity,)
        assert bodies.parts[0].body == b"x"


def test_a_multipart_that_is_none_is_one_part() -> None:
    bodies = parse("multipart/mixed;boundary=b", b"Content-Type: a/b\n\nx")
    assert [(p.kind, p.body) for p in bodies.parts] == [("a/b", b"x")]


def test_odd_part_headers() -> None:
    body = b"--b\nContent-Type: a/b;\n x=1\nno header\nContent-Type: c/d\n\nx\n--b--"
    bodies = parse("multipart/mixed;boundary=b", body)
    assert bodies.parts[0].kind == "a/b"
    assert bodies.parts[0].params == (("x", "1"),)
    assert bodies.oddities == ("a part has a line that is no header: 'no header'",)


def test_nested_parts_are_flattened_to_a_depth() -> None:
    kind, body = "a/b", b"x"
    for depth in range(6):
        kind, body = multipart((kind, body), boundary=f"b{depth}")
    (part,) = parse(kind, body).parts
    assert part.kind == "multipart/mixed"
    inner = multipart(("a/b", b"x"), ("c/d", b"y"), boundary="in")
    assert [p.kind for p in parse(*multipart(inner, ("e/f", b"z"))).parts] == ["a/b", "c/d", "e/f"]


def test_too_many_parts_are_said() -> None:
    kind, body = multipart(*[("a/b", b"x")] * (MAX_PARTS + 1))
    bodies = parse(kind, body)
    assert len(bodies.parts) == MAX_PARTS
    assert bodies.oddities == (f"{MAX_PARTS + 1} parts; only the first {MAX_PARTS} are read",)


def test_single_bodies() -> None:
    assert parse("", b"").parts == ()
    assert parse("application/sdp", OFFER).sdp is not None
    assert parse("", OFFER).sdp is not None
    assert parse("", b"?").parts[0].kind == ""
    bare = parse("application/ +xml", METADATA, disposition="Recording-Session;handling=required")
    assert bare.metadata is not None


@pytest.mark.parametrize(
    ("encoding", "body", "content"),
    [
        ("base64", b"dj0w", b"v=0"),
        ("base64", b"d", b"d"),
        ("Quoted-Printable", b"v=3D0", b"v=0"),
        ("binary", b"v=0", b"v=0"),
    ],
)
def test_transfer_encodings(encoding: str, body: bytes, content: bytes) -> None:
    data = (
        f"--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
        + body
        + b"\r\n--b--"
    )
    assert parse("multipart/mixed;boundary=b", data).parts[0].content() == content
