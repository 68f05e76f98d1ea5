"""`memcon user`: who may use the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memcon.cli.common import emit, home_option, json_option, load_config, out, reports_errors
from memcon.clock import SystemClock
from memcon.console.users import ROLES, Users

if TYPE_CHECKING:
    from memcon.service.config import Config
    from memcon.store.paths import Home


def users_of(home: Home) -> Users:
    """The home's users."""
    return Users(home.users, SystemClock())


def link_url(config: Config, token: str) -> str:
    """The address that logs its bearer in, once."""
    return f"{config.console_address}/login/{token}"


@click.group("user")
def command() -> None:
    """Add and remove people who may use the console; make login links."""


@command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(list(ROLES)), default="reader", show_default=True)
@click.option(
    "--password", is_flag=True, help="Ask for a password (without one, only login links open the console)"
)
@home_option
@json_option
@reports_errors
def add(home: Home, name: str, role: str, password: bool, as_json: bool) -> None:
    """Add a person."""
    load_config(home)
    secret = click.prompt("Password", hide_input=True, confirmation_prompt=True) if password else None
    user = users_of(home).add(name, role, secret)
    if as_json:
        emit({"name": user.name, "role": user.role})
    else:
        out().print(f"Added {user.name}, {user.role}. Let them in with: memcon user link {user.name}")


@command.command("list")
@home_option
@json_option
@reports_errors
def list_(home: Home, as_json: bool) -> None:
    """List everyone."""
    load_config(home)
    people = users_of(home).names()
    if as_json:
        emit([{"name": user.name, "role": user.role} for user in people])
        return
    for user in people:
        out().print(f"{user.name}  {user.role}")
    if not people:
        out().print("Nobody yet. Add someone with: memcon user add NAME --role operator")


@command.command("remove")
@click.argument("name")
@home_option
@reports_errors
def remove(home: Home, name: str) -> None:
    """Remove a person; their sessions end."""
    load_config(home)
    users_of(home).remove(name)
    out().print(f"Removed {name}.")


@command.command("password")
@click.argument("name")
@home_option
@reports_errors
def password(home: Home, name: str) -> None:
    """Set a person's password."""
    load_config(home)
    users_of(home).set_password(name, click.prompt("Password", hide_input=True, confirmation_prompt=True))
    out().print(f"The password of {name} is set.")


@command.command("link")
@click.argument("name")
@home_option
@json_option
@reports_errors
def link(home: Home, name: str, as_json: bool) -> None:
    """Make a login link: it works once, for 15 minutes."""
    url = link_url(load_config(home), users_of(home).new_link(name))
    if as_json:
        emit({"name": name, "url": url})
    else:
        out().print(url)
