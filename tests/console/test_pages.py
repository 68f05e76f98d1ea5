"""Every page, as a reader gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/status",
        "/calls/7",
        "/calls/40",
        "/calls/39",
        "/calls/36",
        "/calls/37",
        "/fragments/register",
        "/fragments/pulse",
        "/fragments/status",
        "/fragments/call/40",
    ],
)
def test_every_page_comes(reader: TestClient, path: str) -> None:
    answer = reader.get(path)
    assert answer.status_code == 200, answer.text
