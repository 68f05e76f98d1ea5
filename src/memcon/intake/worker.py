"""The reading process: reads what others made, with limits, and no way back but one line of JSON a question.

A file is input from outside; a decoder of a hundred formats is the largest piece of code that ever sees
it. So it runs in a process of its own that holds no key, has a limit on memory and open files, writes only
what it is asked for, and is stopped when it takes too long. When it ends, the file is refused.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from memcon.errors import MemconError, UsageError
from memcon.intake.limits import Limits
from memcon.intake.media import probe
from memcon.intake.refusals import RefusedError
from memcon.intake.sniff import HEAD, KINDS, Kind, sniff
from memcon.intake.sound import render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Task: TypeAlias = "Callable[[Mapping[str, Any], Limits], dict[str, Any]]"
MIB = 1 << 20
_FILES = 64


def limit_this_process(memory: int) -> None:
    """`memory` in MiB of address space; few files; no core; what it writes is the user's own."""
    os.umask(0o077)
    for what, most in (
        (resource.RLIMIT_AS, memory * MIB),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard),) * 2)


def kind_of(path: Path) -> Kind:
    """The kind of a file by its first bytes; raises RefusedError."""
    with path.open("rb") as file:
        return sniff(file.read(HEAD), path.stat().st_size)


def probe_media(asked: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """`path`, `damaged`: what is in a media file."""
    path = Path(asked["path"])
    return probe(path, kind_of(path), limits, damaged=bool(asked.get("damaged"))).to_json()


def render_media(asked: Mapping[str, Any], _limits: Limits) -> dict[str, Any]:
    """`path`, `container`, `lanes`, `which`, `as`, `to`: a file to hear."""
    kind = next(kind for kind in KINDS if kind.container == asked["container"] and kind.form == "media")
    render(Path(asked["path"]), kind, asked["lanes"], asked["which"], asked["as"], Path(asked["to"]))
    return {}


MEDIA_TASKS: dict[str, Task] = {"probe media": probe_media, "render media": render_media}


def answer(tasks: Mapping[str, Task], line: str, limits: Limits) -> dict[str, Any]:
    """One question's answer; whatever goes wrong is an answer too."""
    try:
        asked = json.loads(line)
        return {"ok": True, **tasks[asked["task"]](asked, limits)}
    except RefusedError as error:
        return {"ok": False, "code": error.code, "text": error.text}
    except UsageError as error:
        return {"ok": False, "code": "", "text": error.message, "cure": error.cure or ""}
    except MemconError as error:
        return {"ok": False, "code": "ingest-corrupt", "text": str(error)}
    except MemoryError:
        return {"ok": False, "code": "ingest-limit", "text": "reading it takes more memory than is allowed"}
    except OSError as error:
        return {"ok": False, "code": "ingest-unreadable", "text": error.strerror or str(error)}
    except Exception as error:  # noqa: BLE001 # of a library, about input from outside: the file is refused
        return {"ok": False, "code": "ingest-corrupt", "text": f"{type(error).__name__}: {error}"}


def serve(tasks: Mapping[str, Task]) -> None:
    """Answer questions from standard input, a line each, until it ends. The first argument are the limits."""
    limits = Limits(**json.loads(sys.argv[1]))
    limit_this_process(limits.memory)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(tasks, line, limits)) + "\n")
        sys.stdout.flush()
