"""A home whose run directory is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memcon.store.paths import RUN_VARIABLE, Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "run"))
    return Home(tmp_path / "home")
