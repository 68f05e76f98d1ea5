"""Asks the reading process, and starts another one when it died or took too long."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from memcon.errors import UsageError
from memcon.intake.refusals import REFUSALS, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.intake.limits import Limits

_SMALL = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""numpy's threads would take the address space that the limit leaves for the file."""
_KEPT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "COVERAGE_PROCESS_START",
    "COVERAGE_PROCESS_CONFIG",
    "PYTHONPATH",
)
_MOST_ANSWER = 64 << 20


class Reader:
    """One reading process, started when it is first asked; several threads may ask, one after another."""

    def __init__(self, module: str, limits: Limits) -> None:
        """`module` is run as a program: its main calls `worker.serve`."""
        self._module = module
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer; RefusedError where the file is refused, UsageError where the question asks too much."""
        with self._lock:
            answer = self._ask(json.dumps(question).encode() + b"\n", seconds)
        if answer.get("ok"):
            return answer
        code, text = str(answer.get("code")), str(answer.get("text"))
        if code in REFUSALS:
            raise RefusedError(code, text)
        raise UsageError(text, cure=str(answer.get("cure")) or None)

    def _ask(self, line: bytes, seconds: float) -> dict[str, Any]:
        process = self._running()
        if process.stdin is None or process.stdout is None:  # as Popen types it; both are pipes
            raise UsageError("the reading process has no pipes")
        try:
            process.stdin.write(line)
            process.stdin.flush()
            data = _line(process.stdout.fileno(), seconds)
        except BrokenPipeError:
            data = b""
        except TimeoutError as error:
            self.close()
            raise RefusedError("ingest-limit", f"reading it takes longer than {seconds:.0f} s") from error
        if not data.endswith(b"\n"):
            status = process.wait()
            self.close()
            how = f"signal {-status}" if status < 0 else f"exit code {status}"
            raise RefusedError("ingest-crash", f"the decoder ended with {how}")
        value = json.loads(data)
        return value if isinstance(value, dict) else {}

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it died between two questions
        if self._process is None:
            environment = {key: os.environ[key] for key in _KEPT if key in os.environ} | _SMALL
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, json.dumps(asdict(self.limits))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        return self._process

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # what it was asked and has not read
                    continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _line(fd: int, seconds: float) -> bytes:
    """Bytes up to a line's end, or to the pipe's; TimeoutError when none came for `seconds`."""
    data = bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(fd, selectors.EVENT_READ)
        while not data.endswith(b"\n") and len(data) < _MOST_ANSWER:
            if not waiting.select(seconds):
                raise TimeoutError
            part = os.read(fd, 1 << 20)
            if not part:
                break
            data += part
    return bytes(data)
