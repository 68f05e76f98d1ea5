"""A time-stamping authority on loopback: `openssl ts` behind HTTP, with a root of its own."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.witness.kit import Reply
from tests.witness.site import Http

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG = """
[ca]
basicConstraints = critical, CA:true
[tsa]
extendedKeyUsage = critical, timeStamping
[tsa_config]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/ca.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Tsa:
    """Answers time stamp queries at `url`; `roots` is its root certificate, PEM. `broken` has it say no."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed: no time-stamping authority here")
        folder.mkdir()
        self._folder = folder
        (folder / "serial").write_text("01\n")
        (folder / "openssl.cnf").write_text(_CONFIG.format(folder=folder))
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
                  "-subj", "/CN=Test Root", "-days", "30", "-addext", "basicConstraints=critical,CA:true",
                  "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
        self._run("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr",
                  "-subj", "/CN=Test Authority")  # fmt: skip
        self._run("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                  "-out", "tsa.pem", "-days", "30", "-extfile", "openssl.cnf",
                  "-extensions", "tsa")  # fmt: skip
        self._begin()

    @classmethod
    def at(cls, folder: Path) -> Tsa:
        """The authority that was made in a folder, which may have been moved; it does not listen."""
        found = cls.__new__(cls)
        found._folder = folder
        (folder / "openssl.cnf").write_text(_CONFIG.format(folder=folder))
        found.roots = (folder / "ca.pem").read_bytes()
        return found

    def _begin(self) -> None:
        self.broken = False
        self.asked = 0
        self.roots = (self._folder / "ca.pem").read_bytes()
        self._http = Http(self._answer)
        self.url = f"{self._http.url}/tsr?v=1"

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._folder, check=True, capture_output=True)

    def _answer(self, method: str, path: str, body: bytes) -> Reply:
        self.asked += 1
        if self.broken or (method, path) != ("POST", "/tsr?v=1"):
            return Reply(503, {}, b"")
        return Reply(200, {}, self.reply(body))

    def reply(self, query: bytes) -> bytes:
        """The answer to a query's bytes."""
        (self._folder / "query").write_bytes(query)
        self._run("ts", "-reply", "-config", "openssl.cnf", "-section", "tsa_config", "-queryfile", "query",
                  "-out", "answer")  # fmt: skip
        return (self._folder / "answer").read_bytes()

    def close(self) -> None:
        self._http.close()
