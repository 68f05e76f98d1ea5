"""A beat names the drand round that word was left of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record.hashing import ZERO32, sha256
from memcon.seal.freshness import NewestRound
from memcon.store import durable

if TYPE_CHECKING:
    from tests.seal.synthetic import World


def test_the_round_of_which_word_was_left(world: World) -> None:
    capture = world.capture()
    capture.start()
    capture.talk((), 4)
    sealer = world.run(capture.frames)
    capture.frames.clear()
    NewestRound(7, sha256(b"signature")).leave(world.home.newest_round)
    capture.talk((), 4)
    world.run(capture.frames, sealer)
    durable.remove_file(world.home.newest_round)
    capture.frames.clear()
    capture.talk((), 2)
    world.run(capture.frames, sealer)
    named = [(beat.drand_round, beat.drand_hash) for beat in world.beats()[-5:]]
    seven = (7, sha256(b"signature"))
    assert named == [(0, ZERO32)] * 2 + [seven] * 2 + [(0, ZERO32)]
    sealer.close()
