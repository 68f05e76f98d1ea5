"""Taking in and searching in a browser, on a real home: by keyboard, on a phone, without JavaScript."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.browser.conftest import Site, listening
from tests.browser.test_accessibility import violations
from tests.intake.media import write_wav
from tests.service.test_intakes import make_home
from tests.service.test_searching import write_transcript

from memcon.catalogue.catalogue import Catalogue
from memcon.clock import SystemClock
from memcon.console.app import create_app
from memcon.intake.desk import Stated
from memcon.service.archive import Archive
from memcon.service.config import load
from memcon.service.intakes import Intakes
from memcon.service.office import console_deps
from memcon.service.searching import open_search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("taking-in")
    home, clock = make_home(root), SystemClock()
    config = load(home.config)
    with closing(Catalogue(home.catalogue)) as catalogue:
        intakes = Intakes(home, config, clock, catalogue)
        desk = intakes.desk()
        desk.take(write_wav(root / "tape.wav", 95.0, 8000, 2), "A", Stated(lanes=("A. Holt", "B. Rahn")))
        write_transcript(home, "We spoke of sanctions and of nothing else.")
        searching = open_search(home, config, clock, catalogue)
        searching.catch_up()
        deps = console_deps(home, config, clock, catalogue, Archive(home, config, clock), intakes, searching)
        deps.users.add("olaf", "operator")
        write_wav(root / "new.wav", 1.0)
        (root / "note.txt").write_text("hello")
        office = SimpleNamespace(app=create_app(deps), users=deps.users, root=root)
        with listening(office.app) as base:
            yield Site(office, base)  # type: ignore[arg-type] # what of an office it needs
        intakes.close()
        searching.close()


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    browser: Browser, site: Site, width: int, scheme: str
) -> None:
    page = site.visitor(browser, name="olaf", viewport={"width": width, "height": 800}, color_scheme=scheme)
    found = []
    for path in ("/", "/take-in", "/taken-in/1", "/search", "/search?q=sanctions", "/search?q=%22x"):
        page.goto(site.base + path)
        found += [f"{path} {one}" for one in violations(page)]
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
    page.context.close()
    assert found == []


def test_files_are_sent_one_by_one_and_told(browser: Browser, site: Site) -> None:
    page = site.visitor(browser, name="olaf")
    page.goto(f"{site.base}/take-in")
    root = site.office.root  # type: ignore[attr-defined] # of this module's own
    page.set_input_files("#file", [str(root / "new.wav"), str(root / "note.txt")])
    page.focus("#title")
    page.keyboard.press("Enter")
    page.wait_for_selector("#says:has-text('refused.')")
    told = page.inner_text("#results")
    assert "Taken in as T002: new.wav" in told
    assert "Not taken in: note.txt" in told
    assert page.inner_text("#says") == "1 taken in, 0 known already, 1 refused."
    page.context.close()
    # The browser itself tells of the answer to the file that is refused.
    assert [said for said in site.complaints if "400 (Bad Request)" not in said] == []


def test_a_word_is_found_and_plays_by_keyboard_alone(browser: Browser, site: Site) -> None:
    page = site.visitor(browser, name="olaf")
    page.goto(f"{site.base}/search")
    page.focus("#q")
    page.keyboard.type("sanction speaker:holt")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hits mark")
    assert page.inner_text(".hits mark") == "sanctions"
    page.focus(".hits a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/taken-in/1#t=62")
    page.wait_for_selector("#play:not([hidden])")
    assert page.inner_text("#clock").startswith("1:02")
    page.focus("#play")
    page.keyboard.press("Space")
    while page.evaluate("document.getElementById('audio').currentTime") < 62.2:
        page.wait_for_timeout(50)
    page.context.close()


def test_without_javascript_both_pages_work(browser: Browser, site: Site) -> None:
    page = site.visitor(browser, name="olaf", java_script_enabled=False)
    page.goto(f"{site.base}/search?q=sanctions")
    assert page.locator(".hits a").first.get_attribute("href") == "/taken-in/1#t=62"
    page.goto(f"{site.base}/take-in")
    root = site.office.root  # type: ignore[attr-defined] # of this module's own
    page.set_input_files("#file", str(root / "tape.wav"))
    page.click("button.primary")
    assert "Known already as" in page.inner_text("#results")
    page.context.close()
