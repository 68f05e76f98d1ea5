"""A desk over a directory, without a recorder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from memcon.accounts.desk import AccountsDesk
from memcon.catalogue.catalogue import Catalogue
from memcon.clock import ManualClock
from memcon.store.dossiers import DossierStore
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD: dict[str, Any] = {
    "start": "2017-01-28",
    "participants": [
        {"side": "A", "name": "Ada Adams", "office": "President of Arland", "country": "US"},
        {"side": "B", "name": "Boris Bell", "office": "President of Borland", "country": "RU"},
    ],
}


@dataclass
class Desk:
    """The desk, and what it handed in to be sealed."""

    desk: AccountsDesk
    notes: list[tuple[int, bytes]] = field(default_factory=list)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Desk]:
    home = Home(tmp_path)
    catalogue = Catalogue(home.catalogue)
    notes: list[tuple[int, bytes]] = []
    store = DossierStore(home, ManualClock(), lambda *note: notes.append(note))
    yield Desk(AccountsDesk(store, catalogue.dossiers), notes)
    catalogue.close()


@pytest.fixture
def desk(kept: Desk) -> AccountsDesk:
    return kept.desk
