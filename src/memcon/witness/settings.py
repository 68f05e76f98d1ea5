"""A witness's home: `witness.toml`, `keys/`, `ledger/`, `mirror/`, and the policy that names its logs."""

from __future__ import annotations

import ipaddress
import json
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError, UsageError
from memcon.store.durable import make_dirs, write_file
from memcon.tlog.policy import Policy
from memcon.tlog.witness import monitoring_path
from memcon.witness.keys import create_keys, load_cosigner, quicken
from memcon.witness.ledger import begin_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.witness.keys import Cosigner

FILE = "witness.toml"
POLICY_FILE = "logs.policy"
EMPTY_POLICY = """# The logs this witness cosigns, a tlog-policy: log <vkey> [<address of the log's files>]
# With witness, group and quorum lines it is also the policy by which silence is certified.
quorum none
"""


@dataclass(frozen=True, slots=True)
class Notify:
    """Where word of a silent log goes; empty: nowhere."""

    webhook: str = ""
    email: str = ""
    smtp: str = "localhost:25"
    sender: str = "memcon-witness@localhost"
    syslog: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What witness.toml says. `mirror`: keep and watch the logs that have an address."""

    home: Path
    name: str
    host: str
    port: int
    logs: Path
    mirror: bool
    notify: Notify = field(default_factory=Notify)

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def ledger(self) -> Path:
        return self.home / "ledger"

    @property
    def mirrors(self) -> Path:
        return self.home / "mirror"

    def mirror_of(self, origin: str) -> Path:
        """The directory of one log's mirror, named as its checkpoint is asked for."""
        return self.mirrors / monitoring_path(origin).partition("/")[0]

    def cosigner(self) -> Cosigner:
        return load_cosigner(self.keys, self.name)

    def policy(self) -> Policy:
        """The logs, and the witnesses whose word counts. Raises FormatError where quorums can be disjoint."""
        try:
            data = self.logs.read_bytes()
        except OSError as error:
            raise UsageError(f"{self.logs} cannot be read: {error.strerror}") from error
        policy = Policy.parse(data, overlap=False)
        if policy.quorum is not None:
            policy.check_overlap()
        if not policy.logs:
            raise FormatError(str(self.logs), "names no log", cure="Add a line: log <vkey> [<address>]")
        return quicken(policy)


def _address(text: object) -> tuple[str, int]:
    host, _, port = str(text).rpartition(":")
    try:
        address = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
        number = int(port)
    except ValueError:
        number, address = -1, ""
    if not 0 < number < 65536:
        raise FormatError(FILE, f"{text!r} is no ADDRESS:PORT", where="[witness] listen", code="CONFIG")
    return address, number


def _table(raw: dict[str, Any], name: str, keys: dict[str, tuple[type, Any]]) -> dict[str, Any]:
    table = raw.get(name, {})
    if not isinstance(table, dict):
        raise FormatError(FILE, "expected a table", where=f"[{name}]", code="CONFIG")
    for key, value in table.items():
        if key not in keys:
            raise FormatError(
                FILE, f"unknown; expected {', '.join(keys)}", where=f"[{name}] {key}", code="CONFIG"
            )
        if type(value) is not keys[key][0]:
            kind = "true or false" if keys[key][0] is bool else "a text"
            raise FormatError(FILE, f"is {value!r}; expected {kind}", where=f"[{name}] {key}", code="CONFIG")
    return {key: table.get(key, default) for key, (_, default) in keys.items()}


WITNESS_KEYS: dict[str, tuple[type, Any]] = {
    "name": (str, ""),
    "listen": (str, "127.0.0.1:8090"),
    "logs": (str, POLICY_FILE),
    "mirror": (bool, False),
}
NOTIFY_KEYS: dict[str, tuple[type, Any]] = {
    "webhook": (str, ""),
    "email": (str, ""),
    "smtp": (str, "localhost:25"),
    "sender": (str, "memcon-witness@localhost"),
    "syslog": (str, ""),
}


def load(home: Path) -> Settings:
    """Read witness.toml. Raises UsageError where there is none, FormatError where it is wrong."""
    try:
        raw = tomllib.loads((home / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no {home / FILE}", cure="Make a witness with: memcon witness init"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(FILE, f"not TOML: {error}", code="CONFIG") from error
    for name in raw:
        if name not in ("witness", "notify"):
            raise FormatError(FILE, "unknown; expected [witness] or [notify]", where=name, code="CONFIG")
    said = _table(raw, "witness", WITNESS_KEYS)
    host, port = _address(said["listen"])
    notify = Notify(**_table(raw, "notify", NOTIFY_KEYS))
    return Settings(home, said["name"], host, port, home / said["logs"], said["mirror"], notify)


def init_home(
    home: Path, name: str, *, kinds: tuple[str, ...], listen: str, policy: bytes | None, mirror: bool
) -> Settings:
    """Make a witness: keys, policy, and witness.toml last. Raises UsageError where there is one."""
    if (home / FILE).exists():
        raise UsageError(f"there is a witness in {home} already", cure="Give another --home")
    _address(listen)
    if policy is not None:
        Policy.parse(policy, overlap=False)
    make_dirs(home)
    begin_ledger(home / "ledger")
    create_keys(home / "keys", kinds)
    load_cosigner(home / "keys", name)  # refuses a name that no key can have
    write_file(home / POLICY_FILE, policy or EMPTY_POLICY.encode(), 0o644)
    text = f"""# A witness. Each setting is described in docs/OPERATIONS.md.

[witness]
name = {json.dumps(name)}
listen = "{listen}"
logs = "{POLICY_FILE}"
mirror = {"true" if mirror else "false"}
"""
    write_file(home / FILE, text.encode(), 0o644)
    return load(home)
