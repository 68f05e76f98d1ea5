"""A log's site as its mirror asks it: one connection, and what a server may answer."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest
from tests.witness.kit import Reply
from tests.witness.site import Http

from memcon.errors import MachineError, UsageError
from memcon.witness.process import MOST_FILES, more_files
from memcon.witness.site import KeptSite

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http(lambda _method, path, _body: Reply(200, {}, path.encode()))
    yield http
    http.close()


@pytest.mark.parametrize("keep", [True, False])
def test_files_by_their_path(http: Http, keep: bool) -> None:
    site = KeptSite(f"{http.url}/log", 5.0, keep=keep)
    for path in ("checkpoint", "tile/0/000.p/1", "checkpoint"):
        assert site.fetch(path) == f"/log/{path}".encode()
        assert (site._connection._open is not None) is keep
    site.close()
    assert list(site.paths()) == []
    with pytest.raises(UsageError):
        KeptSite("ftp://log.example/", 5.0)


def test_what_is_not_there_and_what_cannot_be_told(http: Http) -> None:
    site = KeptSite(http.url, 5.0)
    for status, body in ((404, None), (410, None)):
        http.answers = lambda *_, status=status: Reply(status, {}, b"no")
        assert site.fetch("checkpoint") is body
    http.answers = lambda *_: Reply(503, {}, b"")
    with pytest.raises(MachineError, match="checkpoint: the server answers 503"):
        site.fetch("checkpoint")
    http.answers = lambda *_: Reply(0)  # hangs up
    with pytest.raises(MachineError, match="checkpoint cannot be read: no answer"):
        site.fetch("checkpoint")
    http.answers = lambda *_: Reply(301, {}, b"")  # to nowhere
    with pytest.raises(MachineError, match="checkpoint"):
        site.fetch("checkpoint")
    http.answers = lambda *_: Reply(200, {}, b"again")
    assert site.fetch("checkpoint") == b"again"
    site.close()


def test_as_many_open_files_as_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    for soft, hard, found in (
        (1024, 4096, 4096),
        (1024, 1 << 20, MOST_FILES),
        (1024, resource.RLIM_INFINITY, MOST_FILES),
        (4096, 4096, 4096),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, MOST_FILES),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limits=(soft, hard): limits)
        assert more_files() == found
    assert asked == [(4096, 4096), (MOST_FILES, 1 << 20), (MOST_FILES, resource.RLIM_INFINITY)]
