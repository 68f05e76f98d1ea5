"""Rounds of quicknet and the file of a day of them."""

from __future__ import annotations

from memcon.record.drand import GENESIS, Round, path_of, read_rounds

ONE, TWO = Round(657413, b"\1" * 48), Round(657414, b"\2" * 48)


def test_a_round_has_a_time_and_a_days_file() -> None:
    assert Round(1, b"").time == GENESIS
    assert ONE.time == 1_694_775_603
    assert ONE.path == path_of(657413) == "drand/2023-09-15"


def test_a_days_file_is_read_as_written_and_a_torn_end_is_left() -> None:
    data = ONE.encode() + TWO.encode()
    assert list(read_rounds(data)) == [ONE, TWO]
    for cut in range(56, 112):
        assert list(read_rounds(data[:cut])) == [ONE]
