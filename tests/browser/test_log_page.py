"""The public page of a log in a browser: without a server, and its box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.test_accessibility import violations
from tests.verify.watched import Watched
from tests.verify.witnesses import quick_check

from memcon.clock import NS
from memcon.record.beat import State
from memcon.record.statement import Explanation
from memcon.service.log_pages import write_page
from memcon.service.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Dialog


class Visit:
    """A page of five attested slots and a silence, as files."""

    def __init__(self, root: Path) -> None:
        stage = Stage(root / "recorder")
        stage.begin(5)
        stage.wait_until(20)
        stage.submit()
        now = stage.clock.wall_ns() // NS
        self.file = write_page(str(stage.home.log), root / "page", now, stage.policy)


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return Visit(tmp_path_factory.mktemp("page"))


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (360, "dark"), (1280, "light")])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    browser: Browser, visit: Visit, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type] # one of the two
    page.route("http://page.example/**", lambda route: _serve(route, visit))
    page.goto("http://page.example/index.html?from=2026-01-01T00:00:10Z&to=2026-01-01T00:02:00Z")
    page.wait_for_selector("#told:not(:empty)")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a log whose people say what breaks pages: markup, formulas, words without an end."""
    root = tmp_path_factory.mktemp("hostile")
    word = "x" * 400
    watched = Watched().beats(1, 3)
    watched.cosign(watched.at(7))
    off = watched.off(
        8, by=f"<img src=x onerror=alert(1)>{word}", reason=f"</script><script>alert(2)//{word}"
    )
    watched.beat(7, State.DEGRADED, statement=off)
    watched.beat(8, State.OFF, statement=off)
    why = Explanation(
        watched.world.origin, watched.genesis + 4, watched.genesis + 6, "<b>Eve</b>", "console",
        f"=cmd|' /C calc'!A0 \"onmouseover=alert(3) {word}",
    )  # fmt: skip
    watched.beat(9, statement=watched.world.state(why.encode()))
    watched.beats(10, 12)
    place = watched.write(root / "log")
    return write_page(str(place), root / "page", watched.at(15), watched.policy(), check=quick_check)


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [360, 1280])
def test_hostile_statements_are_only_text_and_stay_on_the_page(
    browser: Browser, hostile: Path, width: int, scripts: bool
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 740}, java_script_enabled=scripts)
    page = context.new_page()
    told: list[str] = []

    def heard(dialog: Dialog) -> None:
        told.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", heard)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(hostile.as_uri())
    text = page.locator("main").inner_text()
    for shown in ("<img src=x onerror=alert(1)>", "</script><script>alert(2)//", "<b>Eve</b>", "=cmd|"):
        assert shown in text
    assert page.locator("main img, main b, #ask script").count() == 0
    assert page.locator("#ask").is_visible() is scripts
    assert "Silent" in text
    if scripts:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.fill("#from", "2027-01-15T08:00:40Z")
        page.fill("#to", "2027-01-15T08:01:40Z")
        page.keyboard.press("Enter")
        page.wait_for_selector("#told:not(:empty)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#parts img, #parts b").count() == 0
    assert told == []
    context.close()


def test_a_page_says_when_it_is_old(browser: Browser, visit: Visit) -> None:
    written = "2026-01-01T00:03:20Z"
    for now, shown in (("2026-01-01T00:20:00Z", False), ("2026-01-01T03:04:00Z", True)):
        page = browser.new_page()
        page.clock.set_fixed_time(now)
        page.route("http://page.example/**", lambda route: _serve(route, visit))
        page.goto("http://page.example/index.html")
        page.wait_for_function("!document.getElementById('ask').hidden")
        assert page.locator("#old").is_visible() is shown
        assert written in page.locator(".head").inner_text()
        if shown:
            assert "it was written 3 hours ago" in page.locator("#old").inner_text()
        page.close()


def test_the_box_answers_and_says_what_it_does_not_know(browser: Browser, visit: Visit) -> None:
    page = browser.new_page()
    page.route("http://page.example/**", lambda route: _serve(route, visit))
    page.goto("http://page.example/index.html")
    for since, until, told in (
        (
            "2026-01-01T00:00:10Z",
            "2026-01-01T00:01:00Z",
            "Yes: stage.example/recorder was attested",
        ),
        ("2026-01-01T01:00:10+01:00", "2026-01-01T00:02:00", "No: silent in 6 of 11 slots"),
        ("2026-01-01T00:03:10Z", "", "Nobody can tell from this: unknown in 1 of 1 slot"),
        ("2025-12-31", "2026-01-01T00:00:20Z", "Nobody can tell from this: unknown in 8,641 of 8,642 slots"),
        ("yesterday", "", "That is no time"),
    ):
        page.fill("#from", since)
        page.fill("#to", until)
        page.press("#to", "Enter")
        page.wait_for_selector(f"#told:has-text('{told}')")
    page.close()


def test_the_box_needs_no_server(browser: Browser, visit: Visit) -> None:
    page = browser.new_page()
    page.goto(visit.file.as_uri())
    page.wait_for_selector("#ask:not([hidden])")
    page.click("#ask button")
    page.wait_for_selector("#told:not(:empty)")
    page.close()


def test_without_scripts_the_table_says_it(browser: Browser, visit: Visit) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(visit.file.as_uri())
    assert not page.locator("#ask").is_visible()
    assert page.get_by_role("rowheader", name="Silent").is_visible()
    context.close()


def _serve(route: object, visit: Visit) -> None:
    request = route.request  # type: ignore[attr-defined] # Playwright's Route
    name = request.url.partition("page.example/")[2].partition("?")[0]
    route.fulfill(path=str(visit.file.parent / name))  # type: ignore[attr-defined] # as above
