"""The words of a call in a browser: lit, heard from a word, cited, by keyboard and without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.test_use import tab_to, until
from tests.console.said import utterance

from memcon.record.transcript import Lane

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.browser.conftest import Site

LIT = "[...document.querySelectorAll('.w.now')].map(w => w.textContent).join(' ')"


def test_words_light_up_and_are_heard_from_a_click(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.goto(still.base + "/calls/7")
    page.locator(".w", has_text="crest").nth(1).click()
    until(page, "!document.getElementById('audio').paused")
    until(page, f"{LIT}.includes('has')")
    assert page.evaluate("document.getElementById('audio').currentTime") >= 136
    page.click("#read-play")
    until(page, "document.getElementById('audio').paused")
    until(page, "document.getElementById('read-play').innerText === 'Play'")
    assert page.inner_text("#read-clock").startswith("2:1")
    page.context.close()


def test_words_are_heard_and_cited_by_keyboard(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.goto(still.base + "/calls/7")
    tab_to(page, "#words", most=60)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")  # to the second utterance, by time: Then we open …
    page.keyboard.press("ArrowRight")
    assert page.locator(".w.chosen").inner_text() == "we"
    assert page.inner_text("#word-says") == "we"
    page.keyboard.press("Enter")
    until(page, "document.getElementById('audio').currentTime >= 128.7")
    page.keyboard.press("Space")
    until(page, "document.getElementById('audio').paused")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_selector("#cited-citation")
    assert page.inner_text("#cited").startswith("Ingrid Solheim: we open the")
    assert page.inner_text("#cited-address") == "https://callroom.example/calls/7?version=2#t=128.7,129.85"
    page.keyboard.press("c")
    assert page.evaluate("document.activeElement.id") == "chosen"
    tab_to(page, "#choose-none")
    page.keyboard.press("Enter")
    assert page.locator("#chosen").is_hidden()
    page.keyboard.press("?")
    assert page.locator("#word-keys").is_visible()
    page.keyboard.press("ArrowUp")
    assert page.locator(".w.chosen").inner_text() == "We"
    page.context.close()


def test_words_chosen_with_the_mouse_are_cited(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.goto(still.base + "/calls/7")
    first, last = page.locator(".w", has_text="Agreed."), page.locator(".w", has_text="writing")
    first.scroll_into_view_if_needed()
    one, other = first.bounding_box(), last.bounding_box()
    assert one is not None
    assert other is not None
    page.mouse.move(one["x"] + 2, one["y"] + 10)
    page.mouse.down()
    page.mouse.move(other["x"] + other["width"] - 2, other["y"] + 10, steps=5)
    page.mouse.up()
    page.wait_for_selector("#cited-citation")
    assert "Agreed. I would want it in writing" in page.inner_text("#cited")
    assert page.evaluate("document.getElementById('audio').paused")
    page.context.close()


def test_an_address_names_a_span(browser: Browser, still: Site) -> None:
    page = still.visitor(browser)
    page.goto(still.base + "/calls/7?version=1#t=217.5,218.5")
    until(page, "document.querySelectorAll('.w.cited').length > 0")
    assert page.locator(".w.cited").all_inner_texts() == ["Tarnbeck", "culvert", "is"]
    until(page, "document.querySelector('.w.cited').getBoundingClientRect().top < innerHeight")
    assert page.inner_text("#play") == "Play from 3:37"
    page.context.close()


def test_without_scripts_the_words_are_text_and_links(browser: Browser, still: Site) -> None:
    page = still.visitor(browser, java_script_enabled=False)
    page.goto(still.base + "/calls/7")
    assert "lower gates at six this evening" in page.inner_text("#words")
    assert page.locator("#reading").is_hidden()
    page.locator("#words a", has_text="4:19").click()
    assert page.url.endswith("#t=259.3")
    page.locator("#versions summary").first.click()
    page.fill("#cite-from", "2:08")
    page.fill("#cite-to", "2:21")
    page.click("#versions button")
    assert "Then we open" in page.inner_text("#cited")
    page.goto(still.base + "/calls/7")
    page.locator("#versions summary").nth(1).click()
    page.locator("#versions a", has_text="Version 1").click()
    assert "Tarnbeck" in page.inner_text("#words")
    page.context.close()


def test_words_of_a_call_that_goes_on_appear_as_they_are_said(browser: Browser, site: Site) -> None:
    page = site.visitor(browser)
    page.clock.install()
    page.goto(site.base + "/calls/40")
    assert "No words yet" in page.inner_text("#no-words")
    said, more = utterance("The figures are here.", 470_000), utterance("All of them.", 490_000)
    site.office.transcripts.heard[40] = (Lane("A", speaker="Ingrid Solheim", utterances=(said,)),)
    page.clock.run_for(1_100)
    page.wait_for_selector("#w-7 .utt")
    assert "Each utterance stands here" in page.inner_text("#no-words")
    site.office.transcripts.heard[40] = (Lane("A", speaker="Ingrid Solheim", utterances=(said, more)),)
    page.clock.run_for(1_100)
    page.wait_for_selector("#w-8 .utt")
    page.clock.run_for(10_100)  # the beat brings the same words and doubles none
    assert page.inner_text("#words").count("The figures are here.") == 1
    page.context.close()
