"""axe on every page, in light and dark, on a phone and a desk; nothing scrolls sideways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from tests.browser.conftest import Site

PAGES = (
    "/",
    "/?q=zzz&from=x",
    "/status",
    "/calls/7",
    "/calls/7/transcript/compare",
    "/calls/7/transcript/cite?from=2:08&to=2:14",
    "/calls/36",
    "/calls/37",
    "/calls/38",
    "/calls/40",
    "/calls/999",
)
WCAG: dict[str, Any] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def violations(page: Page) -> list[str]:
    """What axe finds, short."""
    found = Axe().run(page, options=WCAG).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(browser: Browser, still: Site, scheme: str, width: int) -> None:
    page = still.visitor(browser, viewport={"width": width, "height": 800}, color_scheme=scheme)
    found = []
    for path in PAGES:
        page.goto(still.base + path)
        found += [f"{path} {one}" for one in violations(page)]
    page.context.close()
    stranger = still.visitor(
        browser, name=None, viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    stranger.goto(still.base + "/login")
    found += [f"/login {one}" for one in violations(stranger)]
    stranger.context.close()
    assert found == []


def test_axe_finds_nothing_after_a_verification(browser: Browser, site: Site) -> None:
    page = site.visitor(browser, color_scheme="dark")
    for bad in (False, True):
        site.office.verifier.bad = bad
        page.goto(site.base + "/calls/7")
        page.click("#verify-now")
        page.wait_for_selector("#verdict")
        page.keyboard.press("?")
        for summary in page.locator("summary").all():
            summary.click()
        assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_no_page_scrolls_sideways(browser: Browser, still: Site, width: int) -> None:
    page = still.visitor(browser, viewport={"width": width, "height": 800})
    for path in PAGES:
        page.goto(still.base + path)
        for summary in page.locator("summary").all():
            summary.click()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} is {wide} px wide"
    page.context.close()


def test_ticks_are_a_whole_number_of_pixels(browser: Browser, still: Site) -> None:
    for width, call, cell in ((1280, 7, 3), (360, 7, 5), (1280, 37, 6), (360, 37, 5)):
        page = still.visitor(browser, viewport={"width": width, "height": 800})
        page.goto(f"{still.base}/calls/{call}")
        wide = page.evaluate("document.querySelector('#score svg').getBoundingClientRect().width")
        assert wide == 60 * cell
        page.context.close()


def test_targets_that_stand_alone_are_44_px_high(browser: Browser, still: Site) -> None:
    page = still.visitor(browser, viewport={"width": 360, "height": 800})
    page.goto(still.base + "/calls/7")
    for box in [one.bounding_box() for one in page.locator(".head .btn, .head button, #verify-now").all()]:
        assert box is not None
        assert box["height"] >= 44
    for box in [one.bounding_box() for one in page.locator(".plainbutton:visible").all()]:
        assert box is not None
        assert box["height"] >= 24
    page.context.close()


def test_print_has_no_controls_and_no_colour(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.goto(still.base + "/calls/7")
    page.emulate_media(media="print")
    for control in ("nav[aria-label=Main]", "#play", "#verify-now", ".pulse", "#player"):
        assert not page.locator(control).first.is_visible(), control
    assert page.locator("#score svg").first.is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    page.context.close()


def test_forced_colours_keep_the_ticks(browser: Browser, still: Site) -> None:
    page = still.visitor(browser, forced_colors="active", color_scheme="dark")
    page.goto(still.base + "/calls/7")
    fill = page.evaluate("getComputedStyle(document.querySelector('#score .tick')).fill")
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert fill != ground
    page.context.close()
