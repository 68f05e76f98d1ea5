"""`memcon status`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from memcon.cli.common import EXIT_FOUND, emit, home_option, json_option, load_config, out, reports_errors
from memcon.clock import NS, SystemClock, utc
from memcon.service.supervisor import roles_of
from memcon.store.durable import read_if_there
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from memcon.store.paths import Home

STALE_NS = 10 * NS


def read_status(home: Home, now: int) -> dict[str, Any]:
    """What each process last said, and the log's size; `running` asks for word within 10 s or a beat."""
    config = load_config(home)
    stale = max(STALE_NS, 2 * config.period * NS)
    processes: dict[str, Any] = {}
    roles = roles_of(config)
    for role in roles:
        said = read_if_there(home.status(role))
        value = json.loads(said) if said else {}
        running = bool(value) and now - int(value.get("wall", 0)) < stale
        processes[role] = {"running": running, **value}
    return {
        "alarms": alarms(processes),
        "origin": config.origin,
        "recording": all(processes[role]["running"] for role in roles) and bool(config.sip_listen),
        "log_size": LogStore(home.log).checkpoint().size,
        "processes": processes,
    }


def witness_lines(said: dict[str, Any]) -> list[str]:
    """The quorum's state and each witness's last word; nothing where no witness is configured."""
    if "witnesses" not in said:
        return []
    when = utc(int(said["quorum_time"]) * NS) if said["quorum_time"] else "never"
    word = (
        "a quorum of witnesses is there" if said["quorum"] and said["running"] else "NO QUORUM of witnesses"
    )
    lines = [f"{word}; the last one, over {int(said['size']):,} leaves, at {when}"]
    for one in said["witnesses"]:
        saw = f"{int(one['size']):,} leaves at {utc(int(one['time']) * NS)}" if one["time"] else "nothing yet"
        problem = f"; {one['problem']}" if one["problem"] else ""
        lines.append(f"  {', '.join(one['names'])}: {saw}{problem}")
    return lines


def alarms(said: dict[str, Any]) -> list[str]:
    """What somebody has to do something about, a sentence each."""
    found = [f"{role}: {said[role]['trouble']}" for role in ("capture", "seal") if said[role].get("trouble")]
    found += [f"office: {text}" for text in said["office"].get("troubles", [])]
    if said["capture"].get("journal_full"):
        found.append("capture: the journal takes no more audio: what is lost of it is counted and declared")
    locked = said["seal"].get("locked", [])
    if locked:
        names = ", ".join(str(number) for number in locked[:10])
        found.append(
            f"seal: {len(locked)} calls wait for a custodian since a reboot ({names}): memcon unlock"
        )
    return found


@click.command("status")
@home_option
@json_option
@reports_errors
def command(home: Home, as_json: bool) -> None:
    """Say what the recorder is doing. Exit code 1 when it is not recording."""
    status = read_status(home, SystemClock().wall_ns())
    if as_json:
        emit(status)
    else:
        console = out()
        console.print("Recording." if status["recording"] else "Not recording.")
        console.print(f"Log {status['origin']}: {status['log_size']:,} leaves.", markup=False)
        for role, said in status["processes"].items():
            when = utc(int(said["wall"])) if "wall" in said else "never"
            console.print(f"  {role}: {'running' if said['running'] else 'not running'}, last word {when}")
        for alarm in status["alarms"]:
            console.print(f"  Alarm: {alarm}", markup=False)
        capture = status["processes"]["capture"]
        if capture["running"]:
            console.print(f"  {capture['calls']:,} calls, {capture['streams']:,} sockets")
        for line in witness_lines(status["processes"].get("witness", {})):
            console.print(f"  {line}", markup=False)
    if not status["recording"]:
        sys.exit(EXIT_FOUND)
