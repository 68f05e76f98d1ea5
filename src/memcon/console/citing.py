"""How a call is cited, and under which address others reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.console.guard import LOOPBACK, host_name
from memcon.console.words import clock_time, day, number

if TYPE_CHECKING:
    from starlette.datastructures import URL

    from memcon.console.deps import CallPage


def citation(call: CallPage, *, office: str, origin: str, address: str) -> str:
    """The citation, selectable whole. The log is named by its origin, the one name that is its own."""
    row = call.row
    ended = row.state != "live"
    until = f"–{clock_time(row.began + row.duration)} UTC" if ended else " UTC, still going on"
    leaves = ""
    if call.seals:
        leaves = f", leaves {number(call.seals[0].index)}–{number(call.seals[-1].index)}"
    where = f"{office}; log" if office else "Log"
    text = (
        f"{'–'.join(row.parties) or 'Parties not named'}, telephone call, {day(row.began)}, "
        f"{clock_time(row.began)}{until}. Call {row.display}. {where} {origin}{leaves}."
    )
    return f"{text} {address}" if address else text


def public_address(public_url: str, asked: URL) -> str:
    """Where others reach this console, without a slash at its end; empty when only this machine can."""
    if public_url:
        return public_url.rstrip("/")
    here = host_name(asked.netloc)
    return "" if here is None or here in LOOPBACK else f"{asked.scheme}://{asked.netloc}"
