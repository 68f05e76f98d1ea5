"""The recorder's own requests and its Contact."""

from __future__ import annotations

import pytest
from tests.wire.conftest import TCP, UDP, Bench, invite

from memcon.wire.events import Transport
from memcon.wire.outgoing import bracketed, contact_of

TLS = Transport("tls", ("2001:db8::9", 5061), ("2001:db8::1", 40123), "tls-1")


@pytest.mark.parametrize(("host", "text"), [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "[2001:db8::1]")])
def test_hosts(host: str, text: str) -> None:
    assert bracketed(host) == text


@pytest.mark.parametrize(
    ("transport", "secure", "contact"),
    [
        (UDP, False, "<sip:memcon@h:5060>;+sip.srs"),
        (TCP, False, "<sip:memcon@h:5060;transport=tcp>;+sip.srs"),
        (TLS, False, "<sip:memcon@h:5061;transport=tls>;+sip.srs"),
        (TLS, True, "<sips:memcon@h:5061;transport=tcp>;+sip.srs"),
    ],
)
def test_contacts(transport: Transport, secure: bool, contact: str) -> None:
    assert contact_of("memcon", "h", transport, secure=secure) == contact


def test_a_sips_request_gets_a_sips_contact(bench: Bench) -> None:
    bench.feed(invite(uri="sips:srs@[2001:db8::9]", via="SIP/2.0/TLS [2001:db8::1]:5061"), TLS)
    assert bench.sent()[1].headers.get("contact") == "<sips:memcon@[2001:db8::9]:5061;transport=tcp>;+sip.srs"
