"""URIs, addresses, Via values and parameter lists."""

from __future__ import annotations

import pytest

from memcon.errors import FormatError
from memcon.wire.address import (
    param,
    parse_address,
    parse_host_port,
    parse_params,
    parse_uri,
    parse_via,
    split_list,
    split_outside,
    unquote,
)


@pytest.mark.parametrize(
    ("text", "scheme", "user", "host", "port"),
    [
        ("sip:alice@example.org", "sip", "alice", "example.org", None),
        ("SIPS:alice:secret@Example.org:5061;transport=tls", "sips", "alice", "example.org", 5061),
        ("sip:drachtio:5060", "sip", None, "drachtio", 5060),
        ("sip:[2001:db8::1]:5070", "sip", None, "2001:db8::1", 5070),
        ("sip:[2001:db8::1]", "sip", None, "2001:db8::1", None),
        ("sip:+1@a;user=phone@example.org?subject=x", "sip", "+1@a;user=phone", "example.org", None),
        ("tel:+492211234;phone-context=x", "tel", "+492211234", "", None),
        ("urn:service:sos", "urn", "service:sos", "", None),
    ],
)
def test_uris(text: str, scheme: str, user: str | None, host: str, port: int | None) -> None:
    uri = parse_uri(text)
    assert (uri.scheme, uri.user, uri.host, uri.port) == (scheme, user, host, port)


@pytest.mark.parametrize(
    "text",
    ["", "example.org", ":x", "sip:", "sip:a@", "sip:a@h:port", "sip:a@h:99999", "sip:a@[::1", "sip:a@[::1]x",
     "s p:x", "sip:@[]"],
)  # fmt: skip
def test_no_uris(text: str) -> None:
    with pytest.raises(FormatError):
        parse_uri(text)


def test_uri_parameters() -> None:
    uri = parse_uri("sip:a@h;transport=TCP;lr")
    assert (uri.param("Transport"), uri.param("lr"), uri.param("maddr")) == ("TCP", "", None)


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ('"Ann, \\"the\\" <boss>" <sip:ann@h>;tag=1', 'Ann, "the" <boss>', "sip:ann@h", "1"),
        ("Ann Lee <sip:ann@h;lr>;tag=2;x", "Ann Lee", "sip:ann@h;lr", "2"),
        ("sip:ann@h;tag=3", "", "sip:ann@h", "3"),
        ("<sip:ann@h>;tag=", "", "sip:ann@h", None),
        ('"lone quote <sip:ann@h>', '"lone quote', "sip:ann@h", None),
    ],
)
def test_addresses(text: str, display: str, uri: str, tag: str | None) -> None:
    address = parse_address(text)
    assert (address.display, address.uri_text, address.tag) == (display, uri, tag)


def test_an_address_that_is_no_uri_is_kept_as_text() -> None:
    address = parse_address("<Extension-016190619@speechpath.ie>;+sip.src")
    assert address.uri is None
    assert address.uri_text == "Extension-016190619@speechpath.ie"
    assert address.has("+SIP.src")


@pytest.mark.parametrize("text", ["", "<sip:a@h", "<>", ";tag=1"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(FormatError):
        parse_address(text)


def test_via() -> None:
    via = parse_via("SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;branch=z9hG4bKa7c6;rport")
    assert (via.protocol, via.host, via.port, via.branch) == ("UDP", "first.example.com", 4000, "z9hG4bKa7c6")
    assert via.wants_rport
    assert parse_via("SIP/2.0/TCP [::1]").branch is None


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0/UDP", "SIP/3.0/UDP h", "HTTP/2.0/TCP h", "SIP/2.0/UDP ;branch=x"]
)
def test_no_via(text: str) -> None:
    with pytest.raises(FormatError):
        parse_via(text)


def test_lists_and_parameters() -> None:
    assert split_list('<sip:a,b>, "x, y" <sip:c>,, d') == ["<sip:a,b>", '"x, y" <sip:c>', "d"]
    assert split_outside("a < b, c", ",") == ["a < b", " c"]
    assert parse_params('A=1;b;c="x;\\"y";;=z') == (("a", "1"), ("b", None), ("c", 'x;"y'))
    assert param((("a", None),), "A") == ""
    assert unquote('"open') == '"open'
    assert unquote('"back\\"') == "back\\"
    assert parse_host_port(" Host : 5 ") == ("host", 5)
