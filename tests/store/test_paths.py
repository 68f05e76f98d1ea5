from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.store import paths
from memcon.store.paths import Home

if TYPE_CHECKING:
    import pytest


def test_the_run_directory_is_the_named_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "named"))
    assert Home(tmp_path).run == tmp_path / "named"


def test_the_run_directory_is_of_this_user_and_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MEMCON_RUN", raising=False)
    shared = tmp_path / "shm"
    shared.mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")
    name = hashlib.sha256(str((tmp_path / "home").resolve()).encode()).hexdigest()[:16]
    expected = shared / f"memcon-{os.getuid()}-{name}"
    assert paths.run_directory(tmp_path / "home", shared) == expected
    assert paths.run_directory(tmp_path / "link", shared) == expected


def test_without_shared_memory_the_run_directory_is_in_the_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MEMCON_RUN", raising=False)
    assert paths.run_directory(tmp_path, tmp_path / "absent") == tmp_path / "run"


def test_names_are_those_of_the_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMCON_RUN", "/r")
    home = Home(Path("here"))
    instance = bytes(range(16))
    names = {
        home.config: "memcon.toml",
        home.keys: "keys",
        home.custodians: "custody/custodians.json",
        home.local_custodian: "custody/local.key",
        home.checkpoint: "log/checkpoint",
        home.journal_file(instance, 7): f"journal/{instance.hex()}-00000007.mcj",
        home.work_open: "work/open",
        home.work_done: "work/done",
        home.slots: "slots",
        home.notes: "work/notes",
        home.config_parts: "work/config",
        home.vault: "vault",
        home.derived: "derived",
        home.catalogue: "catalogue.sqlite",
        home.users: "users.json",
        home.state: "state.json",
        home.feed: "/r/feed.jsonl",
        home.serve_pid: "/r/serve.pid",
        home.journal_key(instance): f"/r/journal-{instance.hex()}.key",
        home.call_key(12): "/r/call-12.key",
        home.status("seal"): "/r/seal.json",
    }
    found = {path.as_posix().removeprefix("here/"): name for path, name in names.items()}
    assert found == {name: name for name in names.values()}
