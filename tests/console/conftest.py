"""Fixtures of the console's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.console.fakes import Office, make_office

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return make_office(tmp_path)


@pytest.fixture
def reader(office: Office) -> TestClient:
    return office.client("vera")
