"""`memcon status`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from memcon.cli.common import EXIT_FOUND, emit, home_option, json_option, load_config, out, reports_errors
from memcon.clock import NS, SystemClock, utc
from memcon.console.health import alarms, read_words
from memcon.service.supervisor import roles_of
from memcon.store import durable
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
        "speech": read_speech(home),
    }


def read_speech(home: Home) -> dict[str, Any]:
    """What the listening process last said; nothing where there is none."""
    data = durable.read_if_there(home.status("speech"))
    return {} if data is None else dict(json.loads(data))


def speech_lines(said: dict[str, Any]) -> list[str]:
    """How many calls are being transcribed, how far behind, what waits, what went wrong."""
    if not said:
        return []
    behind = max(said["live"].values(), default=0) / 1000
    lag = f", {behind:.1f} s behind" if said["live"] else ""
    troubles = [*said["troubles"], *filter(None, [said.get("trouble")])]
    head = f"transcribing {len(said['live'])} calls that go on{lag}; {said['waiting']} that have ended wait"
    return [head, *(f"  {text}" for text in troubles)]


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
    return lines + dating_lines(said)


def dating_lines(said: dict[str, Any]) -> list[str]:
    """What the time-stamping authorities and drand last gave; nothing where none is configured."""
    lines = []
    for one in said.get("timestamps", []):
        stamped = f"stamped a note at {utc(int(one['time']) * NS)}" if one["time"] else "no time stamp yet"
        lines.append(f"  {one['url']}: {stamped}{'; ' if one['problem'] else ''}{one['problem']}")
    if "drand" in said:
        lines.append(f"  drand: {said['drand'] or 'beats name its newest round'}")
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
        for line in speech_lines(status["speech"]):
            console.print(f"  {line}", markup=False)
        for line in witness_lines(status["processes"].get("witness", {})):
            console.print(f"  {line}", markup=False)
    if not status["recording"]:
        sys.exit(EXIT_FOUND)
