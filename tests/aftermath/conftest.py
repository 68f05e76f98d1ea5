"""The test data beside the project; tests that need it skip, and say so, where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    folder = Path(os.environ.get("MEMCON_TEST_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
    if not (folder / "events").is_dir():
        pytest.skip("no test data: set MEMCON_TEST_DATA")
    return folder / "events"
