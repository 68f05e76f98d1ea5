"""Structure feeds are fetched by overseers, and by nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.console.fakes import Office, make_office

if TYPE_CHECKING:
    from pathlib import Path

FEED = "00112233aabbccdd"
NAME = "000000000001-000000000360.mctx"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    folder = tmp_path / "structure" / FEED
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"sealed")
    (folder / "notes.txt").write_bytes(b"no file of a feed")
    return make_office(tmp_path / "office", structure=tmp_path / "structure")


def test_an_overseer_lists_and_fetches(office: Office) -> None:
    client = office.client("mira")
    assert client.get("/structure").text == f"{FEED}/{NAME}\n"
    answer = client.get(f"/structure/{FEED}/{NAME}")
    assert (answer.content, answer.headers["content-type"]) == (b"sealed", "application/octet-stream")
    for other in (f"{FEED}/notes.txt", f"{FEED}/{NAME[:-1]}", "../x", FEED):
        assert client.get(f"/structure/{other}").status_code == 404


def test_nobody_else_does(office: Office, tmp_path: Path) -> None:
    assert office.client("vera").get("/structure").status_code == 403
    assert office.client("vera").get(f"/structure/{FEED}/{NAME}").status_code == 403
    assert office.client().get("/structure", follow_redirects=False).status_code != 200
    none = make_office(tmp_path / "none")
    assert none.client("mira").get("/structure").status_code == 404
