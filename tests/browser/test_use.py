"""What a person does: sign in, look, listen, verify, with a keyboard or without scripts."""

from __future__ import annotations

from dataclasses import replace
from time import sleep
from typing import TYPE_CHECKING

from tests.console.fakes import PASSWORD, VKEY, lane

from memcon.clock import NS
from memcon.console.deps import HEARD, CallEvent

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from tests.browser.conftest import Site


def until(page: Page, expression: str, seconds: float = 60) -> None:
    """Wait for an expression to hold; asked from outside, since the page forbids eval."""
    for _ in range(int(seconds * 20)):
        if page.evaluate(expression):
            return
        sleep(0.05)
    raise AssertionError(f"never came: {expression}")


def tab_to(page: Page, selector: str, most: int = 40) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")


def test_sign_in_with_a_password_by_keyboard(browser: Browser, site: Site) -> None:
    page = site.visitor(browser, name=None)
    page.goto(site.base + "/calls/7")
    assert "/login?next=/calls/7" in page.url
    tab_to(page, "#name")
    page.keyboard.type("vera")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(site.base + "/calls/7")
    page.click("text=Sign out")
    page.wait_for_url(site.base + "/login")
    page.context.close()


def test_the_first_stop_skips_to_the_record(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.context.close()


def test_play_by_keyboard(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.goto(still.base + "/calls/7")
    assert not page.locator("#audio").is_visible()
    tab_to(page, "#play")
    page.keyboard.press("Space")
    until(page, "!document.getElementById('audio').paused")
    until(page, "document.getElementById('play').innerText === 'Pause'")
    page.keyboard.press("Space")
    until(page, "document.getElementById('audio').paused")
    before = page.evaluate("document.getElementById('audio').currentTime")
    page.keyboard.press("ArrowRight")
    until(page, f"document.getElementById('audio').currentTime >= {before} + 4.9")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("End")
    until(page, "document.getElementById('audio').currentTime > 340")
    page.keyboard.press("Home")
    until(page, "document.getElementById('audio').currentTime === 0")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    assert page.get_attribute("#keys-button", "aria-expanded") == "true"
    page.context.close()


def test_a_click_in_the_score_seeks_and_the_head_goes_there(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.goto(still.base + "/calls/7")
    page.locator("#m-180 svg").scroll_into_view_if_needed()
    box = page.locator("#m-180 svg").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 3 * 40 + 1, box["y"] + 40)
    until(page, "document.getElementById('audio').currentTime >= 220")
    page.click("#play")
    until(page, "document.getElementById('play').innerText.startsWith('Play from 3:4')")
    assert page.locator("#m-180 .head-line").count() == 1
    page.select_option("#lane", "B")
    until(page, "document.getElementById('audio').src.endsWith('/audio/B.wav')")
    until(page, "document.getElementById('play').innerText.startsWith('Play from 3:4')")
    page.click("#play")
    until(page, "document.getElementById('audio').currentTime >= 220")
    page.context.close()


def test_an_address_names_a_second(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.goto(still.base + "/calls/7#t=137")
    until(page, "document.getElementById('play').innerText === 'Play from 2:17'")
    page.locator("a.seek", has_text="4:21").click()
    until(page, "document.getElementById('audio').currentTime >= 261")
    page.context.close()


def test_audio_that_cannot_be_had_is_said(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.route("**/audio/*", lambda route: route.fulfill(status=404))
    page.goto(still.base + "/calls/7")
    page.click("#play")
    until(page, "document.getElementById('player-says').textContent.includes('could not be loaded')")
    page.context.close()


def test_verify_works(browser: Browser, site: Site) -> None:
    page = site.visitor(browser)
    page.goto(site.base + "/calls/7")
    page.click("text=Verify now")
    page.wait_for_url("**/calls/7#verify")
    assert "unaltered and whole" in page.inner_text("#verdict")
    assert page.locator(".proof > div").count() == 2
    page.context.close()


def test_without_scripts_the_call_page_is_complete(browser: Browser, site: Site) -> None:
    page = site.visitor(browser, java_script_enabled=False)
    page.goto(site.base + "/calls/7")
    assert page.locator("#audio").is_visible()
    assert page.locator("#audio").get_attribute("controls") is not None
    assert page.locator("#score svg").count() == 6
    assert not page.locator("#play").is_visible()
    assert not page.locator("#theme").is_visible()
    page.click("text=Verify now")
    assert "unaltered and whole" in page.inner_text("#verdict")
    page.click("#seals summary")
    assert page.locator("#seal-rows tr").first.is_visible()
    page.goto(site.base + "/?q=solheim")
    assert "3 calls found" in page.inner_text("main").replace("\u00a0", " ")
    page.context.close()


def test_the_theme_is_chosen_and_kept(browser: Browser, still: Site) -> None:
    page = still.visitor(browser, color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(ground) == "rgb(251, 251, 248)"
    page.click("#theme")
    assert page.evaluate(ground) == "rgb(19, 22, 26)"
    page.goto(still.base + "/status")
    assert page.evaluate(ground) == "rgb(19, 22, 26)"
    assert page.inner_text("#theme") == "Light page"
    page.context.close()


def more(site: Site, seconds: int) -> None:
    """The live call gains seconds."""
    calls = site.office.register.calls
    place = next(i for i, one in enumerate(calls) if one.row.number == 40)
    lanes = (
        lane("A", "Ingrid Solheim", bytes([HEARD] * seconds)),
        lane("B", "Finance", bytes([HEARD] * seconds)),
    )
    row = replace(calls[place].row, sealed=seconds, duration=seconds * NS, seal=lanes[0].seconds)
    calls[place] = replace(calls[place], row=row, lanes=lanes)


def test_a_live_call_grows_by_the_beat(browser: Browser, site: Site) -> None:
    page = site.visitor(browser)
    page.clock.install()
    page.goto(site.base + "/calls/40")
    assert page.locator("#score > li").count() == 9
    more(site, 550)
    site.office.clock.advance(10 * NS)
    page.clock.run_for(10_100)
    page.wait_for_selector("#m-540")
    assert page.locator("#score > li").count() == 10
    assert page.inner_text("#counts").replace("\u00a0", " ") == "550 seconds: 550 whole."
    assert "14:20:00" in page.inner_text("#pulse")
    page.goto(site.base + "/")
    more(site, 560)
    page.clock.run_for(10_100)
    until(page, "document.getElementById('live-rows').textContent.includes('560')")
    assert page.locator("#row-40").count() == 1
    page.context.close()


def test_what_is_unfolded_stays_so_while_the_call_grows(browser: Browser, site: Site) -> None:
    calls = site.office.register.calls
    place = next(i for i, one in enumerate(calls) if one.row.number == 40)
    calls[place] = replace(calls[place], events=(CallEvent(0, 0, "sip", "SIP message", "signalling"),))
    page = site.visitor(browser)
    page.clock.install()
    page.goto(site.base + "/calls/40")
    page.click("#timeline summary")
    more(site, 550)
    hold = CallEvent(1, 520 * NS, "hold", "Hold begins", "signalling")
    calls[place] = replace(calls[place], events=(*calls[place].events, hold))
    page.clock.run_for(10_100)
    until(page, "document.getElementById('timeline').textContent.includes('Hold begins')")
    assert page.locator("#timeline details[open]").count() == 1
    page.context.close()


def test_a_command_is_selected_whole_by_one_click(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.goto(still.base + "/calls/7")
    page.click("#verify pre code")
    chosen = page.evaluate("getSelection().toString()").strip()
    assert chosen == f"python3 memcon-verify.pyz call 2026-11-23-0007.bundle --key {VKEY}"
    page.context.close()


def test_status_grows_by_the_beat(browser: Browser, site: Site) -> None:
    page = site.visitor(browser)
    page.clock.install()
    page.goto(site.base + "/status")
    assert "14:19:50" in page.inner_text("#answer")
    site.office.clock.advance(10 * NS)
    page.clock.run_for(10_100)
    until(page, "document.getElementById('answer').textContent.includes('14:20:00')")
    page.context.close()


def test_a_call_that_ended_loads_again_as_a_recorded_one(browser: Browser, site: Site) -> None:
    page = site.visitor(browser)
    page.clock.install()
    page.goto(site.base + "/calls/40")
    calls = site.office.register.calls
    place = next(i for i, one in enumerate(calls) if one.row.number == 40)
    calls[place] = replace(calls[place], row=replace(calls[place].row, state="recorded"))
    page.clock.run_for(10_100)
    page.wait_for_selector("#play", state="attached")
    assert "Recorded" in page.inner_text("#kind")
    page.context.close()


def test_nothing_is_fetched_from_elsewhere(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(still.base + "/calls/7")
    page.wait_for_load_state("networkidle")
    assert asked
    assert all(url.startswith(still.base) for url in asked)
    assert any(url.endswith("source-serif-4-latin-wght-normal.woff2") for url in asked)
    page.context.close()
