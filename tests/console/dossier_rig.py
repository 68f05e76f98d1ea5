"""What the tests of dossier pages stand on: an office with the example dossier, made once in a run."""

from __future__ import annotations

import html
import re
import shutil
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.console.fakes import make_office
from tests.sharing import copy_of

from memcon.accounts.desk import AccountsDesk
from memcon.aftermath.desk import FollowedDesk
from memcon.aftermath.sets import EventSets
from memcon.catalogue.catalogue import Catalogue
from memcon.clock import ManualClock
from memcon.service.example import install
from memcon.store.dossiers import DossierStore
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient
    from tests.console.fakes import Office


@cache
def example() -> Path:
    """A home with the example dossier, for this process: tests copy it."""
    return copy_of("example", _make)


def _make(root: Path) -> None:
    home = Home(root)
    with closing(Catalogue(home.catalogue)) as catalogue:
        desk = AccountsDesk(DossierStore(home, ManualClock(), lambda *_: None), catalogue.dossiers)
        install(desk, foreign=FollowedDesk(desk).write)


@pytest.fixture
def sealed() -> list[str]:
    """The hashes that were handed in to be sealed."""
    return []


@pytest.fixture
def desk(tmp_path: Path, sealed: list[str]) -> Iterator[AccountsDesk]:
    home = Home(Path(shutil.copytree(example(), tmp_path / "home")))
    with closing(Catalogue(home.catalogue)) as catalogue:
        seal = DossierStore(home, ManualClock(), lambda _, digest: sealed.append(digest.hex()))
        yield AccountsDesk(seal, catalogue.dossiers)


@pytest.fixture
def office(tmp_path: Path, desk: AccountsDesk) -> Office:
    (tmp_path / "office").mkdir()
    sets = EventSets(tmp_path / "home" / "events", lambda *_: None)
    return make_office(tmp_path / "office", dossiers=desk, event_sets=sets)


@pytest.fixture
def writer(office: Office) -> TestClient:
    return office.client("olaf")


def said(text: str) -> str:
    """A page as its reader reads it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", text))).replace("\u00a0", " ")


def token(client: TestClient, page: str) -> str:
    """What a form of the page carries."""
    found = re.search(r'name="token" value="([^"]+)"', client.get(page).text)
    assert found is not None
    return found[1]
