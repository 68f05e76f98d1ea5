"""`memcon init`: a home with its keys, its custodian, its configuration and the first leaf of its log."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from memcon.errors import MemconError, UsageError
from memcon.record import config as config_root_
from memcon.seal.custody import encode_custodians, make_custodian
from memcon.seal.genesis import create_log, read_genesis
from memcon.seal.keys import create_keys
from memcon.service import config as configuration
from memcon.service.parts import config_parts
from memcon.store.durable import make_dirs, write_file
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from memcon.clock import Clock
    from memcon.service.config import Config
    from memcon.store.paths import Home

CUSTODIAN_ID = "local"
WARNING = (
    "The custodian's private key is kept on this machine (custody/local.key), so that the console can "
    "play calls. Whoever has root here can read every call. An office keeps that key elsewhere: "
    "docs/THREAT-MODEL.md"
)


def default_origin() -> str:
    """An origin from this machine's name: good for a trial; an office names a host it owns."""
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in socket.gethostname()).strip("-.")
    return f"{name or 'localhost'}/memcon"


def init_home(home: Home, text: str, clock: Clock) -> Config:
    """Make the home from the text of its memcon.toml; returns what that says.

    Order: keys, custodian, log, and the configuration last, so that a home with a memcon.toml is whole.
    Raises UsageError where there is a recorder already, FormatError for a wrong configuration.
    """
    if home.config.exists():
        raise UsageError(f"there is a recorder in {home.root} already", cure="Give another --home")
    if home.keys.exists() or home.log.exists():
        raise UsageError(
            f"{home.root} holds keys or a log, but no memcon.toml",
            cure="Put the memcon.toml back, or make a new home; keys and logs are never replaced",
        )
    config = configuration.parse(text, home.root)
    make_dirs(home.root)
    keys = create_keys(home.keys)
    custodian, seed = make_custodian(CUSTODIAN_ID, "local custodian")
    custodians = encode_custodians([custodian])
    make_dirs(home.custody)
    write_file(home.local_custodian, seed)
    write_file(home.custodians, custodians, 0o644)
    parts = {name: part.encode("utf-8") for name, part in config_parts(config, keys, custodians).items()}
    root = config_root_.config_root(config_root_.commit_parts(keys.structure, parts))
    create_log(home, keys, config.origin, clock.wall_ns(), period_ms=config.period * 1000, config_root=root)
    write_file(home.config, text.encode("utf-8"), 0o644)
    return config


def check_terms(home: Home, config: Config) -> None:
    """Raise UsageError where memcon.toml says another name or period than the log was begun with.

    A log that cannot be read is no reason here: sealing says what is wrong, and calls are kept meanwhile.
    """
    try:
        genesis = read_genesis(LogStore(home.log))[1]
    except MemconError:
        return
    if config.period * 1000 != genesis.period_ms:
        raise UsageError(
            f"memcon.toml says [beat] period = {config.period}, the log was begun with one beat every "
            f"{genesis.period_ms / 1000:g} s, for its life",
            cure=f"Write period = {genesis.period_ms // 1000}, or begin another log in another home",
        )
    if config.origin != genesis.origin:
        raise UsageError(
            f"memcon.toml says [recorder] origin = {config.origin!r}, the log is {genesis.origin!r}",
            cure=f'Write origin = "{genesis.origin}", or begin another log in another home',
        )
