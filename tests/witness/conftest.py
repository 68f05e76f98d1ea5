from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.witness.kit import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.ledger.close()
