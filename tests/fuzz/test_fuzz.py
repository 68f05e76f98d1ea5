"""The short form of `scripts/fuzz`: some hundred inputs for each reader, and the fuzzer itself tried."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.fuzz.mutate import mutate
from tests.fuzz.run import attempt, fuzz, main
from tests.fuzz.targets import LawBrokenError, Target, targets

from memcon.errors import FormatError

TARGETS = {target.name: target for target in targets(Path("/nowhere"))}
INPUTS = 150


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_format_errors(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds[:20]:
        assert attempt(target, seed) is None
    chance = random.Random(f"suite/{name}")
    for _ in range(INPUTS if name != "sip-server" else INPUTS // 3):
        data = mutate(chance, target.seeds)
        error = attempt(target, data)
        assert error is None, data


def test_it_finds_what_is_wrong_and_writes_it_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def reader(data: bytes) -> None:
        if b"\r\n\r\n" in data:
            raise IndexError("planted")
        raise FormatError("nothing", "as it should")

    planted = Target("planted", (b"abc",), reader)
    assert fuzz([planted], 0.5, 3, tmp_path) == 1
    (found,) = tmp_path.glob("planted-*.bin")
    assert b"\r\n\r\n" in found.read_bytes()
    assert "IndexError: planted" in found.with_suffix(".txt").read_text()
    assert "1 findings, seed 3" in capsys.readouterr().out


def test_the_same_seed_makes_the_same_inputs() -> None:
    seeds = TARGETS["sip"].seeds
    one, two = random.Random("a"), random.Random("a")
    assert [mutate(one, seeds) for _ in range(50)] == [mutate(two, seeds) for _ in range(50)]


def test_a_broken_law_is_a_finding() -> None:
    def reader(data: bytes) -> None:
        raise LawBrokenError("never holds")

    assert isinstance(attempt(Target("x", (b"",), reader), b""), LawBrokenError)


def test_a_finding_can_be_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "input.bin"
    kept.write_bytes(b"SIP?")
    assert main(["--target", "sip", "--again", str(kept)]) == 0
    assert "read or refused" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--again", str(kept)])
