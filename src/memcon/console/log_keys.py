"""The log's public keys as a reader needs them: what kind each is, and the commands that use them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.tlog.note import COSIGNATURE_MLDSA44, ED25519, VerifierKey

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS = {
    ED25519: "Ed25519: short, checked by every tool that reads signed notes",
    COSIGNATURE_MLDSA44: "ML-DSA-44: long, meant to hold against quantum computers",
}
POLICY_FILE = "memcon-log.policy"
VERIFIER_FILE = "memcon-verify.pyz"


@dataclass(frozen=True, slots=True)
class LogKey:
    """One public key of the log: its kind in words, its identity (`name+keyid`), and the whole vkey."""

    kind: str
    identity: str
    vkey: str


def log_keys(vkeys: Sequence[str]) -> tuple[LogKey, ...]:
    """The keys in words, in their order. Raises PublicKeyError for one that is none."""
    read = [(VerifierKey.parse(vkey), vkey) for vkey in vkeys]
    return tuple(
        LogKey(_KINDS.get(key.kind, f"signature type {key.kind}"), f"{key.name}+{key.key_id.hex()}", vkey)
        for key, vkey in read
    )


def command_key(vkeys: Sequence[str]) -> str:
    """The key for a command line: the shortest, `KEY` where the log has none."""
    return min(vkeys, key=len, default="KEY")


def program(*, packed: bool) -> str:
    """How the verifier is run: the file this console hands out, else the installed package."""
    return f"python3 {VERIFIER_FILE}" if packed else "python3 -m memcon.verify"


def call_command(vkeys: Sequence[str], file_name: str, *, packed: bool) -> str:
    """The command that checks a downloaded bundle, ready to be run where the file is."""
    return f"{program(packed=packed)} call {shlex.quote(file_name)} --key {shlex.quote(command_key(vkeys))}"


def dossier_command(vkeys: Sequence[str], file_name: str, *, packed: bool) -> str:
    """The command that checks a downloaded bundle of a dossier."""
    return (
        f"{program(packed=packed)} dossier {shlex.quote(file_name)} --key {shlex.quote(command_key(vkeys))}"
    )


def policy_command(file_name: str, *, packed: bool) -> str:
    """The same with every key of the log, from the policy file."""
    return f"{program(packed=packed)} call {shlex.quote(file_name)} --policy {POLICY_FILE}"


def log_command(vkeys: Sequence[str], log: str, *, packed: bool) -> str:
    """The command that checks the log itself, at an address or in a directory."""
    return f"{program(packed=packed)} log {shlex.quote(log)} --key {shlex.quote(command_key(vkeys))}"
