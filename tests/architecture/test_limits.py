"""The table of limits in OPERATIONS says what the program does."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z_]+\.[a-z_.]+)\.([A-Z_]+)` \| ([0-9,]+) \|", TEXT, re.MULTILINE)


def test_there_is_a_table() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize(("module", "name", "value"), ROWS)
def test_each_limit_is_as_documented(module: str, name: str, value: str) -> None:
    assert getattr(importlib.import_module(f"memcon.{module}"), name) == int(value.replace(",", ""))
