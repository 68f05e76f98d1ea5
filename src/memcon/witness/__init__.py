"""Witnesses: cosigning any C2SP log, submitting our own, mirrors, silence certificates.

For the witness: `keys` (what cosigns), `core` (one request: its checks, its status), `ledger` (every
note it cosigned, synced before the answer), `server` (HTTP), `mirror` and `watch` (the logs it looks
after). For the recorder: `client` (one witness), `submit` (all of them, quorums, the archive of notes).
For anybody: `prove` (silence certificates).
"""
