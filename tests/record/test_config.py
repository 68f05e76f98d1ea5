from __future__ import annotations

import pytest

from memcon.errors import FormatError
from memcon.record import config

PARTS = dict.fromkeys(config.PARTS, b"{}")


def test_each_part_counts() -> None:
    made = config.commit_parts(bytes(32), PARTS)
    root = config.config_root(made)
    for name in config.PARTS:
        assert config.config_root(made | {name: bytes(32)}) != root
        assert config.commit_parts(bytes(32), PARTS | {name: b"[]"})[name] != made[name]


def test_all_parts_and_no_others() -> None:
    for parts in ({}, {"keys": b"{}"}, PARTS | {"more": b"{}"}):
        with pytest.raises(FormatError, match="parts missing or unknown"):
            config.commit_parts(bytes(32), parts)
        with pytest.raises(FormatError, match="parts missing or unknown"):
            config.config_root(parts)


@pytest.mark.parametrize("name", ["", "schlüssel", "x" * 256])
def test_names_of_a_stranger(name: str) -> None:
    with pytest.raises(FormatError, match="configuration part name"):
        config.config_commitment(name, bytes(32), b"{}")
