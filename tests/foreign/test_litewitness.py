"""A witness nobody here wrote cosigns our log: litewitness, of Debian's torchwood (sid)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.foreign.litewitness import Litewitness, missing
from tests.verify.builder import World

from memcon.record.beat import State
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note, VerifierKey
from memcon.tlog.tiles import TileReader
from memcon.witness.client import WitnessClient
from memcon.witness.keys import QuickVerifier

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.foreign


def test_it_cosigns_our_log_as_it_grows_and_refuses_a_fork(tmp_path: Path) -> None:
    if missing():
        pytest.skip(
            f"no {', '.join(missing())}: apt-get install torchwood openssh-client, from sid where need be"
        )
    world = World()  # signed with Ed25519 and ML-DSA-44: it passes over the signature it does not know
    world.genesis()
    ed25519 = world.vkeys()[0]
    lite = Litewitness(tmp_path / "lite", [(world.origin, str(ed25519))])
    try:
        client = WitnessClient(lite.url, [QuickVerifier(VerifierKey.parse(lite.vkey))])
        for beats in (0, 1, 3, 300, 0):  # the last one: the same size again, for a new date
            for _ in range(beats):
                world.beat()
            note = Note.parse(world.checkpoint())
            files = world.files()
            checkpoint = Checkpoint.parse(note.text)
            outcome = client.submit(
                note, checkpoint, TileReader(files.get, checkpoint.size).consistency_proof
            )
            assert len(outcome.signatures) == 1, outcome.problem
        fork = World()
        fork.genesis()
        for _ in range(400):
            fork.beat(state=State.DEGRADED)
        note = Note.parse(fork.checkpoint())
        checkpoint = Checkpoint.parse(note.text)
        outcome = client.submit(
            note, checkpoint, TileReader(fork.files().get, checkpoint.size).consistency_proof
        )
        assert not outcome.signatures
        assert outcome.status == 422
        client.close()
    finally:
        lite.close()
