from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.seal.synthetic import World

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    return World(tmp_path / "home")
