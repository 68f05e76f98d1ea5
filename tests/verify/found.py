"""What the verifier finds in what the dishonest operator made, by the log's own keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.verify import builder as b

from memcon.verify import trust, verify_bundle, verify_log

if TYPE_CHECKING:
    from pathlib import Path


def codes(made: b.Bundle) -> set[str]:
    """What is found in a bundle whose manifest fits, by the reader's key of its log."""
    return set(verify_bundle(made.pack(), trust(made.world.vkeys())).counts)


def log_codes(world: b.World, folder: Path, files: dict[str, bytes] | None = None) -> set[str]:
    """What is found in a log."""
    b.write_files(folder, world.files() if files is None else files)
    return set(verify_log(str(folder), trust(world.vkeys())).counts)
