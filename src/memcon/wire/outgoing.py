"""The recorder's own requests inside a call: BYE, and UPDATE to keep a session (RFC 3261 §12.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.wire.build import build_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.wire.dialog import Dialog
    from memcon.wire.events import Transport


def bracketed(host: str) -> str:
    """A host as a URI has it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def contact_of(user: str, host: str, transport: Transport, *, secure: bool = False) -> str:
    """Our Contact, with the feature tag of a recording server (RFC 7866 §6.1.2).

    `secure`: the request named a sips: URI, and so must we (RFC 3261 §12.1.1).
    """
    scheme = "sips" if secure else "sip"
    via = "" if transport.protocol == "udp" else f";transport={'tcp' if secure else transport.protocol}"
    return f"<{scheme}:{user}@{bracketed(host)}:{transport.local[1]}{via}>;+sip.srs"


def in_dialog(
    method: str,
    held: Dialog,
    hop: Transport,
    branch: str,
    host: str | None,
    more: Iterable[tuple[str, str | bytes]],
) -> bytes:
    """A request of ours to the peer of a call, under the next CSeq; `host` stands in Via."""
    held.local_cseq += 1
    here = f"{bracketed(host or hop.local[0])}:{hop.local[1]}"
    fields: list[tuple[str, str | bytes]] = [
        ("Via", f"SIP/2.0/{hop.protocol.upper()} {here};branch={branch};rport"),
        ("Max-Forwards", "70"),
        *(("Route", route) for route in held.routes),
        ("From", held.local),
        ("To", held.remote),
        ("Call-ID", held.id.call_id),
        ("CSeq", f"{held.local_cseq} {method}"),
        *more,
    ]
    return build_request(method, held.remote_target, fields)
