"""The configuration parts that every beat commits to (FORMATS §9), from what is configured and installed."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import memcon
from memcon.record import canonical

if TYPE_CHECKING:
    from memcon.seal.keys import Keys
    from memcon.service.config import Config


def source_digest() -> str:
    """SHA-256 over memcon's own Python files, in the order of their names: which code ran, as hex."""
    root = Path(memcon.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        name = path.relative_to(root).as_posix().encode("utf-8")
        digest.update(len(name).to_bytes(4, "big") + name + len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def config_parts(config: Config, keys: Keys, custodians: bytes) -> dict[str, str]:
    """The six parts by name, each canonical JSON as text. `custodians` is custodians.json."""
    parts: dict[str, canonical.Json] = {
        "fleet": [],
        "keys": {
            "receipt": keys.receipt_public().hex(),
            "log": [str(key) for key in keys.vkeys(config.origin)],
        },
        "lines": [{"name": line.name, "match": line.match} for line in config.lines]
        if config.sip_listen
        else [],
        "recorder": {"origin": config.origin, "period_ms": config.period * 1000},
        "software": {
            "memcon": memcon.__version__,
            "python": platform.python_version(),
            "digest": source_digest(),
        },
    }
    texts = {name: canonical.dumps(part).decode("utf-8") for name, part in parts.items()}
    return texts | {"custodians": custodians.decode("utf-8")}
