"""The public page of a log says what was-it-on says, and needs nothing beside itself."""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.witness.site import until

from memcon.cli.main import main
from memcon.clock import NS
from memcon.console.log_strip import Tick, described, draw
from memcon.errors import UsageError
from memcon.record.beat import State
from memcon.service.log_pages import PageKeeper, write_page
from memcon.service.stage import Stage
from memcon.verify.attest import Answer
from memcon.witness.settings import init_home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Five slots attested, one degraded, silence; at slot 20 witnesses know it up to 20 - 1 - G."""
    made = Stage(tmp_path / "recorder")
    made.begin(5)
    made.wait_until(7)
    made.leaf(6, State.DEGRADED)
    made.submit()
    made.wait_until(20)
    made.submit()
    return made


def test_it_shows_each_stretch_that_was_not_attested(stage: Stage, tmp_path: Path) -> None:
    now = stage.clock.wall_ns() // NS
    text = write_page(str(stage.home.log), tmp_path / "page", now, stage.policy).read_text()
    assert "No: Silent for 1 min 40 s, from 2026-01-01T00:01:10Z to 2026-01-01T00:02:50Z" in text
    assert "20 slots: 5 attested recording, 1 degraded, 4 unknown, 10 silent" in text.replace("\u00a0", " ")
    assert re.search(r">Degraded</th>.*2026-01-01T00:01:00Z", text)
    assert text.count("2026-01-01T00:03:20Z") >= 3  # each of the three witnesses' last word
    for name in re.findall(r'(?:href|src)="(static/[^"]+)"', text):
        assert (tmp_path / "page" / name).is_file(), name


def test_a_witness_keeps_the_pages_of_its_mirrors(stage: Stage, tmp_path: Path) -> None:
    home, said, stop = tmp_path / "w", list[str](), threading.Event()
    policy = stage.policy.replace(b"\nwitness", b" http://log.example/\nwitness", 1)
    settings = init_home(
        home, "w.example", kinds=("ed25519",), listen="127.0.0.1:1", policy=policy, mirror=False
    )
    with pytest.raises(UsageError, match="mirror"):
        PageKeeper(settings, tmp_path / "p", stage.clock, said.append)
    settings = replace(settings, mirror=True)
    keeper = PageKeeper(settings, tmp_path / "p", stage.clock, said.append, seconds=0.01)
    keeper.step()
    assert not (tmp_path / "p").exists()  # nothing is mirrored yet
    mirror = settings.mirror_of(stage.origin)
    shutil.copytree(stage.home.log, mirror)
    file = tmp_path / "p" / mirror.name / "index.html"
    thread = threading.Thread(target=keeper.run, args=(stop,))
    thread.start()
    until(file.exists)
    stop.set()
    thread.join()
    assert "It is written anew every" in file.read_text()
    assert "Whose word counts is said by the policy of whoever wrote this page" in file.read_text()
    (mirror / "checkpoint").write_bytes(b"damaged")
    for _ in range(2):
        keeper.step()
    (trouble,) = said
    assert mirror.name in trouble


def test_a_log_without_a_quorum_claims_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "recorder")
    (stage.home.log / "policy").write_bytes(stage.policy)
    done = CliRunner().invoke(main, ["page", str(stage.home.log), "--to", str(tmp_path / "p"), "--json"])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "p" / "index.html").read_text()
    assert "No quorum of witnesses has spoken yet" in text
    assert "which its operator wrote" in text


def test_every_answer_has_a_mark_of_its_own_shape() -> None:
    def shape(*cells: Tick) -> str:
        return re.sub(r' aria-label="[^"]*"', "", draw(cells, ""))

    ticks = [Tick(a, whole) for a in (Answer.DECLARED_OFF, Answer.SILENT) for whole in (True, False)]
    ticks += [Tick(Answer.ATTESTED), Tick(Answer.DEGRADED), Tick(Answer.LATE), Tick(None)]
    assert len({shape(Tick(Answer.ATTESTED), tick) for tick in ticks}) == len(ticks)
    assert "tick" not in shape(Tick(Answer.SILENT))
    assert described([Tick(Answer.SILENT), Tick(Answer.SILENT, False)]).replace("\u00a0", " ") == (
        "1 tick and 1 tick in part silent"
    )
