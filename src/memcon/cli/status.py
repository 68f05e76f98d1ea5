"""`memcon status`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from memcon.cli.common import EXIT_FOUND, emit, home_option, json_option, load_config, out, reports_errors
from memcon.clock import NS, SystemClock, utc
from memcon.console.health import alarms, read_words
from memcon.service.supervisor import roles_of
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from memcon.store.paths import Home


def read_status(home: Home, now: int) -> dict[str, Any]:
    """What each process last said, and the log's size."""
    config = load_config(home)
    processes = read_words(home, roles_of(config), config.period * NS, now)
    return {
        "alarms": alarms(processes),
        "origin": config.origin,
        "recording": all(said["running"] for said in processes.values()) and bool(config.sip_listen),
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
