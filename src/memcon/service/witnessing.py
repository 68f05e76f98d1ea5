"""The process that has the recorder's checkpoints cosigned: its policy, and `run_witnessing`."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from memcon.errors import FormatError, UsageError
from memcon.record.evidence import POLICY
from memcon.record.hashing import sha256
from memcon.seal.freshness import NewestNote, NewestRound
from memcon.seal.genesis import read_genesis
from memcon.seal.keys import load_keys
from memcon.store.durable import read_bytes, read_if_there, remove_file, write_file
from memcon.store.tiles import PUBLIC, LogStore
from memcon.tlog.policy import Log, Policy
from memcon.witness.archive import Archive
from memcon.witness.keys import quicken
from memcon.witness.rounds import Rounds
from memcon.witness.stamping import Stamper
from memcon.witness.submit import Newest, Submitter, by_address

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.clock import Clock
    from memcon.record.drand import Round
    from memcon.service.config import Config
    from memcon.store.paths import Home


def read_policy(path: Path, home: Home, config: Config) -> tuple[Policy, bytes]:
    """The policy of `[witness] policy`, for this log's own keys, and the file's bytes.

    Raises UsageError where there is no such file, PolicyError where its quorums can be disjoint,
    FormatError where a witness has no address or the policy is another log's.
    """
    data = read_if_there(path)
    if data is None:
        raise UsageError(f"there is no {path}", cure="Write the policy, or take [witness] out of memcon.toml")
    policy = Policy.parse(data)
    keys = load_keys(home.keys).vkeys(config.origin)
    strangers = [str(log.key.name) for log in policy.logs if log.key not in keys]
    if policy.logs and len(strangers) == len(policy.logs):
        raise FormatError("policy", f"is for other logs ({', '.join(strangers)})", where=str(path))
    by_address(policy)
    return quicken(replace(policy, logs=tuple(Log(key) for key in keys), _verifiers={})), data


def leave_witnesses(home: Home, config: Config) -> bool:
    """Where memcon.toml names no witnesses (any more), take away the policy that the log shows.

    `<log>/policy` says that the log is submitted, and *off* waits for a quorum for as long as it is there.
    What memcon.toml says when the recorder starts holds; whether something was taken away.
    """
    if config.witness_policy is not None or not (home.log / POLICY).exists():
        return False
    remove_file(home.log / POLICY)
    return True


def run_witnessing(home: Home, config: Config, clock: Clock, stop: threading.Event) -> None:
    """Submit every checkpoint until `stop`. Raises what `read_policy` raises."""
    if config.witness_policy is None:
        raise UsageError("no witness is configured", cure="Set [witness] policy in memcon.toml")
    policy, text = read_policy(config.witness_policy, home, config)
    genesis = read_genesis(LogStore(home.log))[1]
    period = genesis.period_ms * 1_000_000
    write_file(home.log / POLICY, text, PUBLIC)

    def tell(note: Newest) -> None:
        NewestNote(note.digest, note.size, note.age_time).leave(home.newest_note)
        if stamper is not None:
            stamper.offer(note)

    def told(one: Round) -> None:
        NewestRound(one.number, sha256(one.signature)).leave(home.newest_round)

    stamper = None
    if config.stamp_authorities:
        roots = None if config.stamp_roots is None else read_bytes(config.stamp_roots)
        stamper = Stamper(Archive(home.log), config.stamp_authorities, clock, roots)
        threading.Thread(target=stamper.run, args=(stop,), daemon=True).start()
    rounds = None
    remove_file(home.newest_round)  # word from before a stop is old
    if config.drand_source is not None:
        rounds = Rounds(home.log, config.drand_source, clock, told, seconds=min(genesis.period_ms / 2000, 5))
        threading.Thread(target=rounds.run, args=(stop,), daemon=True).start()
    submitter = Submitter(home.log, policy, clock, period_ns=period, tell=tell)

    def say() -> None:
        said = submitter.status(genesis.b, period)
        said |= {} if stamper is None else {"timestamps": stamper.status()}
        said |= {} if rounds is None else {"drand": rounds.problem}
        status = json.dumps(said).encode()
        write_file(home.status("witness"), status, durable=False)

    submitter.run(stop, say)
