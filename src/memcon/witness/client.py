"""One witness over HTTP: submitting a checkpoint, reading what it cosigned last.

Whatever a witness answers is bounded in size and time, and ends in cosignatures by the keys we know,
or in an `Outcome` that says in words why not. A 409 is only a hint where to begin the proof.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon import __version__
from memcon.errors import FormatError, RemoteError
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note, verify
from memcon.tlog.witness import AddCheckpoint, monitoring_path, read_answer, read_size
from memcon.verify import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcon.tlog.note import Signature, Verifier

MAX_ANSWER = 1 << 18
TRIES = 3
SECONDS = 5.0
TEXT = "text/plain; charset=utf-8"


class WitnessError(RemoteError):
    """A witness that cannot be reached, or answers what it must not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a submission: cosignatures, or a problem in words; `ahead` its size if it is larger."""

    signatures: tuple[Signature, ...] = ()
    problem: str = ""
    status: int = 0
    ahead: int | None = None


class Connection:
    """A kept-alive connection to one address; opened when needed, once more when it has gone stale."""

    def __init__(self, url: str, seconds: float = SECONDS, most: int = MAX_ANSWER) -> None:
        """`most`: bytes of an answer's body."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise WitnessError(f"{url} is no http or https address")
        self._parts = parts
        self._seconds = seconds
        self._most = most
        self._open: http.client.HTTPConnection | None = None

    def ask(
        self, method: str, path: str | None, body: bytes | None = None, *, kind: str = TEXT
    ) -> tuple[int, bytes]:
        """Status and body; raises WitnessError where there is no answer. `path` None: the address itself."""
        if self._open is not None:
            try:
                return self._ask(method, path, body, kind)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if isinstance(error, TimeoutError):
                    raise self._silent(error) from error
        try:  # for the first time, or again: the other side had closed what we kept
            return self._ask(method, path, body, kind)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._silent(error) from error

    def _silent(self, error: Exception) -> WitnessError:
        return WitnessError(f"no answer from {self._parts.netloc}: {str(error) or type(error).__name__}")

    def _ask(self, method: str, path: str | None, body: bytes | None, kind: str) -> tuple[int, bytes]:
        if self._open is None:
            self._open = self._connect()
        own = self._parts.path + (f"?{self._parts.query}" if self._parts.query else "")
        place = own or "/" if path is None else f"{self._parts.path.rstrip('/')}/{path}"
        headers = {"User-Agent": f"memcon/{__version__}", "Content-Type": kind}
        self._open.request(method, place, body, headers)
        answer = self._open.getresponse()
        data = bounded.read(answer, self._most)
        if len(data) > self._most:
            self.close()
            raise WitnessError(f"{self._parts.netloc} answers more than {self._most} bytes")
        return answer.status, data

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return bounded.HTTPConnection(host, port, timeout=self._seconds)
        return bounded.HTTPSConnection(
            host, port, timeout=self._seconds, context=ssl.create_default_context()
        )

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class WitnessClient:
    """One witness: its address and the keys by which its cosignatures are known."""

    def __init__(self, url: str, keys: Sequence[Verifier], seconds: float = SECONDS) -> None:
        self.url = url
        self._keys = keys
        self._connection = Connection(url, seconds)
        self._known: dict[str, int] = {}

    def submit(self, note: Note, checkpoint: Checkpoint, prove: Callable[[int], Sequence[bytes]]) -> Outcome:
        """Have a checkpoint cosigned; `prove` gives the consistency proof from a smaller size.

        What the witness does never raises: it ends in the outcome's `problem`.
        """
        old = min(self._known.get(checkpoint.origin, checkpoint.size), checkpoint.size)
        try:
            for _ in range(TRIES):
                proof = prove(old) if 0 < old < checkpoint.size else ()
                body = AddCheckpoint(old, tuple(proof), note).to_bytes()
                status, data = self._connection.ask("POST", "add-checkpoint", body)
                if status != 409:
                    return self._settled(status, data, note, checkpoint)
                size = read_size(data)
                if size > checkpoint.size:
                    text = f"has cosigned {size:,} leaves already, this checkpoint has {checkpoint.size:,}"
                    return Outcome(problem=text, status=409, ahead=size)
                if size == old:
                    break
                old = size
        except RemoteError as error:
            return Outcome(problem=str(error))
        return Outcome(problem="says 409 again and again", status=409)

    def _settled(self, status: int, data: bytes, note: Note, checkpoint: Checkpoint) -> Outcome:
        if status != 200:
            said = data[:200].decode("utf-8", "replace").strip()
            return Outcome(problem=f"answers {status}: {said!r}", status=status)
        signatures = verify(Note(note.text, read_answer(data)), self._keys)
        self._known[checkpoint.origin] = checkpoint.size
        return Outcome(tuple(signature for signature, _ in signatures), status=200)

    def latest(self, origin: str) -> Note | None:
        """The newest note of a log that it cosigned; None where it serves none.

        Raises WitnessError, or FormatError for what is no such note.
        """
        status, data = self._connection.ask("GET", monitoring_path(origin))
        if status == 404:
            return None
        if status != 200:
            raise WitnessError(f"{self.url} answers {status} for its newest checkpoint")
        note = Note.parse(data)
        if Checkpoint.parse(note.text).origin != origin:
            raise FormatError("witness", "serves the checkpoint of another log", where=self.url)
        verify(note, self._keys)
        return note

    def close(self) -> None:
        self._connection.close()
