"""Fetches what a vCon names: only from addresses that the configuration allows, only https, only with a hash.

A vCon comes from outside: an address in it could be one inside this network. So nothing is followed that a
person has not written into memcon.toml, no redirect is followed, and what comes must have the hash given.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from memcon.intake.content_hash import parse_content_hash
from memcon.intake.refusals import RefusedError
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from urllib.parse import SplitResult

SECONDS = 30.0
_CHUNK = 1 << 20


class Fetcher:
    """`allowed`: prefixes of addresses, https each, ending in a slash; none: nothing is ever fetched."""

    def __init__(
        self,
        allowed: Sequence[str],
        most: int,
        connect: Callable[[SplitResult], http.client.HTTPConnection] | None = None,
    ) -> None:
        self._allowed = tuple(allowed)
        self._most = most
        self._connect = connect or _connection

    def fetch(self, url: str, content_hash: str, to: Path) -> None:
        """Write what stands at `url` to `to`; RefusedError where it may not be had, or is something else."""
        shown = url[:120]
        due = parse_content_hash(content_hash)
        if due is None:
            raise RefusedError(
                "ingest-vcon-reference", f"{shown} is given without a content_hash that can be read"
            )
        if not url.startswith("https://") or not any(url.startswith(one) for one in self._allowed):
            raise RefusedError(
                "ingest-vcon-reference", f"{shown} is not among the addresses that may be fetched"
            )
        try:
            digest = self._get(urlsplit(url), due[0], to)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RefusedError("ingest-vcon-reference", f"{shown} cannot be fetched: {error}") from error
        if digest != due[1]:
            durable.remove_file(to)
            raise RefusedError("ingest-vcon-hash", f"what stands at {shown} is not what the vCon says")

    def _get(self, parts: SplitResult, algorithm: str, to: Path) -> bytes:
        connection = self._connect(parts)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"User-Agent": "memcon"})
            with connection.getresponse() as answer:
                return self._keep(answer, algorithm, to)
        finally:
            connection.close()

    def _keep(self, answer: http.client.HTTPResponse, algorithm: str, to: Path) -> bytes:
        if answer.status != 200:
            raise http.client.HTTPException(f"the server answers {answer.status}")
        digest, size = hashlib.new(algorithm), 0
        durable.remove_file(to)
        durable.append(to)
        while chunk := answer.read(_CHUNK):
            size += len(chunk)
            if size > self._most:
                raise http.client.HTTPException(f"it is longer than {self._most:,} bytes")
            digest.update(chunk)
            durable.append(to, chunk)
        return digest.digest()


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    if not parts.hostname:
        raise ValueError("it names no host")
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=SECONDS, context=context)
