"""Taking drand's newest round: from an address and a file; what sources get wrong."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from tests.verify.test_rounds import FALSE, QUICKNET
from tests.witness.kit import Reply
from tests.witness.site import Http, until

from memcon.clock import NS, ManualClock
from memcon.record.drand import Round, read_rounds
from memcon.record.hashing import sha256
from memcon.seal.freshness import NewestRound, read_round
from memcon.witness.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def latest(one: Round, **changes: object) -> bytes:
    said: dict[str, object] = {"round": one.number, "randomness": "00", "signature": one.signature.hex()}
    return json.dumps(said | changes).encode()


class Taken:
    """What was told, of a source whose answer is `answer`."""

    def __init__(self, folder: Path, source: str) -> None:
        self.told: list[Round] = []
        self.root = folder / "log"
        self.clock = ManualClock((QUICKNET.time + 1) * NS)
        self.rounds = Rounds(self.root, source, self.clock, self.told.append, seconds=0.01)

    def step(self) -> str:
        self.rounds.step()
        return self.rounds.problem


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http(lambda _method, _path, _body: Reply(200, {}, latest(QUICKNET)))
    yield http
    http.close()


def test_from_an_address_each_round_once(tmp_path: Path, http: Http) -> None:
    asked = []

    def answer(method: str, path: str, _: bytes) -> Reply:
        asked.append((method, path))
        return Reply(200, {}, latest(QUICKNET))

    http.answers = answer
    taken, stop = Taken(tmp_path, f"{http.url}/public/latest"), threading.Event()
    thread = threading.Thread(target=taken.rounds.run, args=(stop,))
    thread.start()
    until(lambda: len(asked) > 2)
    stop.set()
    thread.join()
    assert asked[0] == ("GET", "/public/latest")
    assert taken.told == [QUICKNET]
    assert list(read_rounds((taken.root / QUICKNET.path).read_bytes())) == [QUICKNET]


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "latest.json"
    taken = Taken(tmp_path, str(file))
    assert "latest.json" in taken.step()
    file.write_bytes(latest(QUICKNET))
    assert taken.step() == ""
    assert taken.told == [QUICKNET]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"no JSON", "no JSON"),
        (latest(QUICKNET, signature="xy"), "no JSON"),
        (b"[]", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"round": 1e999, "signature": "00"}', "no JSON"),
        (latest(QUICKNET, signature="00"), "none of quicknet"),
        (latest(QUICKNET, round=0), "none of quicknet"),
        (latest(Round(QUICKNET.number + 5, QUICKNET.signature)), "of the future"),
        (latest(FALSE), "round 657414"),
    ],
)
def test_what_is_no_round_is_told_and_not_kept(tmp_path: Path, http: Http, body: bytes, says: str) -> None:
    http.answers = lambda *_: Reply(200, {}, body)
    taken = Taken(tmp_path, http.url)
    assert says in taken.step()
    assert not taken.told
    http.answers = lambda *_: Reply(503, {}, b"")
    assert "answers 503" in taken.step()


def test_word_for_the_next_beat(tmp_path: Path) -> None:
    path = tmp_path / "newest-round.json"
    word = NewestRound(QUICKNET.number, sha256(QUICKNET.signature))
    assert read_round(path) == NewestRound()
    word.leave(path)
    assert read_round(path) == word
    for nonsense in (b"{", b"[]", b'{"round": 1, "hash": "00"}', b'{"round": "x", "hash": "00"}'):
        path.write_bytes(nonsense)
        assert read_round(path) == NewestRound()
