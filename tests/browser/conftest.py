"""A browser, and an invented office on a port of its own. Skipped where there is no Chromium."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn
from playwright.sync_api import sync_playwright
from tests.console.fakes import FakeFiles, Office, make_office, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
    from starlette.applications import Starlette

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 120_000  # the machine may be busy with others
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM.exists():
                item.add_marker(
                    pytest.mark.skip(reason=f"no Chromium at {CHROMIUM}: apt-get install chromium")
                )


@pytest.fixture(scope="module")  # not longer: Playwright keeps an event loop running while it lives
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield browser
        browser.close()


class Site:
    """The office as a browser reaches it."""

    def __init__(self, office: Office, base: str) -> None:
        self.office = office
        self.base = base
        self.complaints: list[str] = []

    def visitor(self, browser: Browser, *, name: str | None = "vera", **options: object) -> Page:
        """A fresh browser window, signed in by a link. `options` are those of a browser context."""
        context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type] # passed through
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"a script failed: {error}"))
        if name is not None:
            page.goto(f"{self.base}/login/{self.office.users.new_link(name)}")
            page.wait_for_url(f"{self.base}/")
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        """Keep what the browser complains of, but for answers that a test asked for."""
        expected = any(
            status in message.text for status in ("404 (Not Found)", "403 (Forbidden)", "409 (Conflict)")
        )
        if message.type == "error" and not expected:
            self.complaints.append(message.text)


@contextlib.contextmanager
def served(root: Path, **changes: object) -> Iterator[Site]:
    """An office whose call 7 has audio of its full length, on a free port of the loop-back. `changes` are
    fields of ConsoleDeps."""
    office = make_office(root, **changes)  # type: ignore[arg-type] # passed through
    files = office.deps.audio
    assert isinstance(files, FakeFiles)
    write_wav(files.root / "7-all.wav", 348)
    write_wav(files.root / "7-B.wav", 348)
    with listening(office.app) as base:
        yield Site(office, base)


@contextlib.contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """The address of a console on a free port of the loop-back."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path) as made:
        yield made
        assert made.complaints == []


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that no test changes."""
    with served(tmp_path_factory.mktemp("office")) as made:
        yield made
        assert made.complaints == []
