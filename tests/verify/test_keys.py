"""Whom the reader trusts: keys, policies, and what he may not give."""

from __future__ import annotations

import pytest
from tests.verify import builder as b

from memcon.errors import FormatError
from memcon.tlog.cosignature import Cosignature, ed25519_message
from memcon.tlog.note import COSIGNATURE_ED25519, ED25519, Note, Signature, VerifierKey
from memcon.verify import trust, verify_bundle

WITNESSES = ("one.example", "two.example", "three.example")


def witness_key(name: str) -> VerifierKey:
    """A witness's key."""
    raw = b.make_keys(name)[0].public_key().public_bytes_raw()
    return VerifierKey(name, COSIGNATURE_ED25519, raw)


def policy(world: b.World, quorum: str = "most") -> bytes:
    """The log and three witnesses, two of whom are enough."""
    lines = [f"log {vkey}" for vkey in world.vkeys()]
    lines += [f"witness w{n} {witness_key(name)}" for n, name in enumerate(WITNESSES)]
    lines += ["group most 2 w0 w1 w2", f"quorum {quorum}"]
    return "\n".join([*lines, ""]).encode()


def cosigned(made: b.Bundle, times: dict[str, int]) -> b.Bundle:
    """The bundle with cosignatures at these times."""
    note = Note.parse(made.checkpoint)
    for name, at in times.items():
        blob = Cosignature(at, b.make_keys(name)[0].sign(ed25519_message(at, note.text))).to_bytes()
        note = note.add(Signature(name, witness_key(name).key_id, blob))
    made.checkpoint = note.to_bytes()
    return made


def test_a_policy_with_a_quorum_dates_the_log() -> None:
    world, call = b.simple()
    made = cosigned(b.bundle(world, call), {WITNESSES[0]: b.START + 60, WITNESSES[2]: b.START + 90})
    report = verify_bundle(made.pack(), trust((), policy(world)))
    assert not report.counts
    assert report.facts["cosigned by a quorum of your witnesses at"] == "2027-01-15T08:01:30Z"
    assert not any("Witnesses" in line for line in report.not_checked)


def test_too_few_witnesses_are_a_finding() -> None:
    world, call = b.simple()
    for times in ({}, {WITNESSES[1]: b.START}, {WITNESSES[1]: 0, WITNESSES[0]: b.START}):
        made = cosigned(b.bundle(world, call), times)
        report = verify_bundle(made.pack(), trust((), policy(world)))
        assert set(report.counts) == {"checkpoint-quorum"}


def test_a_witness_signature_that_does_not_hold() -> None:
    world, call = b.simple()
    made = cosigned(b.bundle(world, call), {WITNESSES[0]: b.START, WITNESSES[1]: b.START})
    note = Note.parse(made.checkpoint)
    broken = [Signature(s.name, s.key_id, s.blob[:-1] + bytes([s.blob[-1] ^ 1])) for s in note.signatures[1:]]
    made.checkpoint = Note(note.text, (note.signatures[0], *broken)).to_bytes()
    report = verify_bundle(made.pack(), trust((), policy(world)))
    assert set(report.counts) == {"checkpoint-quorum"}


def test_a_policy_without_witnesses_gives_the_keys() -> None:
    world, call = b.simple()
    trusted = trust((), policy(world, "none"))
    assert [str(key) for key in trusted.keys] == world.vkeys()
    report = verify_bundle(b.bundle(world, call).pack(), trusted)
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("vkeys", "file"),
    [
        (["no key"], None),
        ([str(witness_key("w.example"))], None),
        ([str(VerifierKey("weak.example", ED25519, bytes(32)))], None),
        ([], b"quorum none\n"),
        ([], b"what is this\n"),
        ([], f"witness w {witness_key('w.example')}\nquorum none\n".encode()),
    ],
)
def test_keys_that_cannot_be_used_are_refused(vkeys: list[str], file: bytes | None) -> None:
    with pytest.raises(FormatError):
        trust(vkeys, file)


def test_a_policy_whose_quorums_can_be_disjoint_is_refused() -> None:
    world = b.World(mldsa=False)
    lines = policy(world).replace(b"group most 2", b"group most 1")
    with pytest.raises(FormatError, match="disjoint"):
        trust((), lines)


def test_a_key_given_twice_is_one_key() -> None:
    world = b.World(mldsa=False)
    assert len(trust([*world.vkeys(), *world.vkeys()]).keys) == 1
