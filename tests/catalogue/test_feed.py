"""A feed that is set aside again and again while it is followed: nothing is missed, nothing counted twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.seal.synthetic import World

from memcon.catalogue.catalogue import Catalogue
from memcon.catalogue.feed import follow
from memcon.seal import feed
from memcon.store import durable

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_feed_that_is_set_aside_is_followed_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sealer dies in between and tells all again."""
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    monkeypatch.setattr(feed, "FULL", 1500)
    whole, aside = tmp_path / "whole.jsonl", [0]
    append, set_aside = durable.append, durable.set_aside

    def both(path: Path, *pieces: bytes, **keys: Any) -> None:
        append(path, *pieces, **keys)
        if path.name == "feed.jsonl":
            append(whole, *pieces)

    def counted(path: Path, target: Path) -> None:
        aside[0] += 1
        set_aside(path, target)

    monkeypatch.setattr(durable, "append", both)
    monkeypatch.setattr(durable, "set_aside", counted)
    world = World(tmp_path / "home")
    capture = world.capture()
    capture.start()
    for n in range(6):
        capture.call(f"call {n}", (10 + 10 * n,))
        capture.talk((10 + 10 * n,), 0.6)
        capture.control("event", key=f"call {n}", facts={"type": "hold", "label": "0", "stream": 0})
        capture.end(f"call {n}")
    capture.talk((), 5)
    one, other = Catalogue(tmp_path / "one.sqlite"), Catalogue(tmp_path / "other.sqlite")
    sealer = None
    for n, frame in enumerate(capture.frames):
        sealer = world.run([frame], sealer)
        follow(world.home.feed_before, one)
        follow(world.home.feed, one)
        if n == len(capture.frames) // 2:
            sealer.close()
            sealer = None
    follow(world.home.feed_before, one)
    follow(world.home.feed, one)
    follow(whole, other)
    assert aside[0] > 2
    assert one.register() == other.register()
    assert one.register().all_calls == 6
    assert [one.call(n) for n in range(1, 7)] == [other.call(n) for n in range(1, 7)]
    one.close()
    other.close()


def test_a_feed_begun_anew_with_the_same_news_is_told_from_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a reboot, when the journal is sealed again: the feeds have other names."""
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    world = World(tmp_path / "home")
    durable.make_dirs(world.home.run)
    catalogue = Catalogue(tmp_path / "c.sqlite")
    news = {"instance": "ab" * 16, "wall": 7}
    for wall in (1, 2):
        told = feed.Feed(world.home)
        told.tell("instance", **news)
        told.tell("off", wall=wall, by="op", reason="over")
        told.flush()
        assert follow(world.home.feed, catalogue).skipped == 0
        world.home.feed.unlink()
    assert [wall for wall, _, _ in catalogue.instances().offs] == [2, 1]
    catalogue.close()
