"""Silence certificates and conflicts, judged by the reader's policy."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.verify.builder import World, write_files
from tests.verify.witnesses import cosigned, policy, policy_text

from memcon.clock import NS, SystemClock
from memcon.record.evidence import DAY, Conflict
from memcon.record.silence import Certificate, ProvenLeaf
from memcon.tlog.note import Note, Signature
from memcon.verify.log import verify_log
from memcon.verify.main import main
from memcon.verify.silence import verify_silence

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.verify.findings import Report


@pytest.fixture(scope="module")
def world() -> World:
    world = World(mldsa=False, period_ms=10_000)
    world.genesis()
    for _ in range(4):
        world.beat()
    return world


def due(world: World) -> int:
    """The end of the first slot without a leaf, and its grace, POSIX seconds."""
    return (world.slot + 1) * 10 + 20


def certificate(world: World, stamps: dict[str, int]) -> bytes:
    """The certificate that these witnesses make of the log as it is."""
    note = Note.parse(cosigned(world.checkpoint(), stamps))
    leaves = [world.proven(n) for n in (0, len(world.entries) - 1)]
    first, last = (ProvenLeaf(one.index, one.leaf, one.proof) for one in leaves)
    (said,) = world.statements.values()
    return Certificate(said, first, last, note).encode()


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def judge(world: World, data: bytes) -> Report:
    return verify_silence(data, policy(world.vkeys()), "c")


def test_a_blocking_set_shows_silence(world: World) -> None:
    report = judge(world, certificate(world, {"w1": due(world) + 11, "w2": due(world) + 15}))
    assert report.ok
    assert report.facts["slots"] == [world.slot, world.slot + 1]
    assert "was silent from" in report.headline
    assert "2 slots" in report.headline
    assert "w1, w2 had seen no larger tree" in report.checked[1]


@pytest.mark.parametrize(("late", "slots"), [(0, None), (1, 1), (10, 1), (11, 2), (1_000_001, 100_001)])
def test_only_what_was_due_is_silent(world: World, late: int, slots: int | None) -> None:
    report = judge(world, certificate(world, {"w1": due(world) + late, "w3": due(world) + late}))
    assert report.ok
    if slots is None:
        assert report.facts["slots"] is None
        assert "not yet overdue" in report.headline
    else:
        assert report.facts["slots"] == [world.slot, world.slot + slots - 1]


def test_the_last_of_those_needed_gives_the_time(world: World) -> None:
    report = judge(
        world, certificate(world, {"w1": due(world) + 500, "w2": due(world) + 1, "w3": due(world)})
    )
    assert report.facts["slots"] == [world.slot, world.slot]


def test_too_few(world: World) -> None:
    report = judge(world, certificate(world, {"w1": due(world) + 500}))
    assert codes(report) == ["silence-blocking"]
    assert "w1" in report.findings[0].text
    report = judge(world, certificate(world, {"w1": 0, "w2": 0}))
    assert codes(report) == ["silence-blocking"]
    assert "nobody" in report.findings[0].text
    assert "shows nothing" in report.headline


def test_another_log_or_a_signature_that_fails(world: World) -> None:
    data = certificate(world, {"w1": due(world) + 500, "w2": due(world) + 500})
    other = World(mldsa=False, key_name="other")
    assert codes(verify_silence(data, policy(other.vkeys()), "c")) == ["silence-signature"]
    made = Certificate.parse(data)
    last = made.note.signatures[-1]
    bad = Signature(last.name, last.key_id, last.blob[:-1] + bytes([last.blob[-1] ^ 1]))
    broken = replace(made, note=Note(made.note.text, (*made.note.signatures[:-1], bad)))
    assert codes(judge(world, broken.encode())) == ["silence-signature"]


def test_what_is_no_certificate(world: World) -> None:
    data = certificate(world, {"w1": due(world) + 500, "w2": due(world) + 500})
    for bad in (b"memcon", data[:-1], data.replace(b"leaf 4", b"leaf 3")):
        report = judge(world, bad)
        assert codes(report) == ["silence-form"]
        assert "no silence certificate" in report.headline


class TestConflicts:
    def fork(self, world: World) -> Conflict:
        other = World(mldsa=False, period_ms=10_000)
        other.genesis()
        for _ in range(4):
            other.beat(skip=1)
        notes = (cosigned(w.checkpoint(), {"w1": due(world)}) for w in (world, other))
        return Conflict("fork", *map(Note.parse, notes))

    def test_two_histories(self, world: World) -> None:
        report = judge(world, self.fork(world).encode())
        assert codes(report) == ["log-fork"]
        assert "two different histories" in report.headline

    def test_growth_that_was_withheld(self, world: World) -> None:
        more = Note.parse(cosigned(world.checkpoint(), {"w1": due(world)}))
        less = Note.parse(world.checkpoint(3))
        report = judge(world, Conflict("withheld", more, less).encode())
        assert codes(report) == ["log-withheld"]
        assert "w1 had cosigned 5 leaves; 3 were served" in report.findings[0].text

    def test_what_convicts_nobody(self, world: World) -> None:
        more, less = (Note.parse(world.checkpoint(n)) for n in (5, 3))
        stranger = World(mldsa=False, key_name="other", origin="other.example")
        stranger.genesis()
        other = Note.parse(stranger.checkpoint())
        seen = Note.parse(cosigned(world.checkpoint(3), {"w1": 5}))
        for conflict in (
            Conflict("fork", more, more),
            Conflict("fork", more, less),
            Conflict("withheld", more, less),  # no witness had seen the larger one
            Conflict("withheld", seen, more),
        ):
            report = judge(world, conflict.encode())
            assert codes(report) == ["silence-form"]
            assert "convict nobody" in report.headline
        report = judge(world, Conflict("fork", more, other).encode())
        assert codes(report) == ["silence-signature"]
        both = policy(world.vkeys() + stranger.vkeys())
        report = verify_silence(Conflict("fork", more, other).encode(), both, "c")
        assert codes(report) == ["silence-form"]
        assert "two logs" in report.findings[0].text
        assert codes(judge(world, b"memcon/conflict/v1\n")) == ["silence-form"]


def test_what_is_dated_after_the_present_shows_nothing(world: World) -> None:
    now = due(world) + 60
    one = certificate(world, {"w1": now, "w2": now + 2 * DAY, "w3": now + 3 * DAY})
    report = verify_silence(one, policy(world.vkeys()), "c", now)
    assert codes(report) == ["note-future", "silence-blocking"]
    assert "w2, w3 would have cosigned after the present" in report.findings[0].text
    two = certificate(world, {"w1": now, "w2": now + 1, "w3": (1 << 63) - 1})
    report = verify_silence(two, policy(world.vkeys()), "c", now)
    assert (codes(report), report.facts["slots"][0]) == (["note-future"], world.slot)
    assert list(report.facts["cosigned"]) == ["w1", "w2"]


def test_on_the_command_line(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "wall_ns", lambda _: (due(world) + 60) * NS)
    good = certificate(world, {"w1": due(world) + 11, "w2": due(world) + 15})
    files = {
        "c.silence": good,
        "policy": policy_text(world.vkeys()),
        "empty": b"",
        "x": b"memcon/silence/v1\n",
    }
    write_files(tmp_path, files)
    words = [str(tmp_path / "c.silence"), "--policy", str(tmp_path / "policy")]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["slots"] == [world.slot, world.slot + 1]
    assert main(["silence", *words]) == 0
    assert "was silent from" in capsys.readouterr().out
    assert main([str(tmp_path / "x"), *words[1:], "--quiet"]) == 1
    assert main([str(tmp_path / "c.silence")]) == 2
    assert "give --policy" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing"), *words[1:]]) == 2


def test_evidence_beside_a_log_is_known_by_its_name(world: World, tmp_path: Path) -> None:
    name = "ab" * 32
    files = world.files() | {"cosigned": b"x", "note/index-2027-01-15": b"x", "policy": b"x"}
    write_files(tmp_path, files)
    assert not verify_log(tmp_path).counts
    write_files(tmp_path, {f"note/{name}": b"x", f"silence/{name}": b"x", f"conflict/{name}": b"x"})
    assert verify_log(tmp_path).counts == {"note-form": 1, "silence-form": 2}
