"""A transcript corrected with the keyboard alone; a draft that outlives a page; somebody who was quicker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.test_accessibility import violations
from tests.browser.test_use import tab_to, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from tests.browser.conftest import Site

CURRENT = "document.activeElement.value"


def opened(site: Site, browser: Browser, **options: object) -> Page:
    """The page to correct call 7 on, its words ready to be changed."""
    page = site.visitor(browser, name="olaf", **options)
    page.goto(site.base + "/calls/7/transcript/correct")
    page.wait_for_selector(".open-it")
    return page


def test_words_are_corrected_with_the_keyboard_alone(browser: Browser, site: Site) -> None:
    page = site.visitor(browser, name="olaf")
    page.goto(site.base + "/calls/7")
    tab_to(page, "#correct-it", most=60)
    page.keyboard.press("Enter")
    page.wait_for_selector(".open-it")
    tab_to(page, ".open-it")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")  # the second utterance is open, the place before its first word
    assert page.evaluate(CURRENT).startswith("Then we open")
    page.keyboard.press("Escape")  # plays from it
    until(page, "!document.getElementById('audio').paused")
    until(page, "document.getElementById('audio').currentTime >= 128.3")
    page.keyboard.press("F3")
    assert page.evaluate("document.getElementById('audio').playbackRate") == 0.75
    page.keyboard.press("Escape")
    until(page, "document.getElementById('audio').paused")
    before = page.evaluate("document.getElementById('audio').currentTime")
    page.keyboard.press("F1")
    until(page, f"document.getElementById('audio').currentTime < {before} - 1.5")
    page.keyboard.press("Control+Shift+ArrowRight")
    page.keyboard.press("Control+u")
    page.keyboard.press("Enter")  # kept, and the next is open
    assert page.evaluate(CURRENT) == "Yes, yes."
    page.keyboard.press("End")
    page.keyboard.type(" Go on.")
    for _ in range(len(" Go on.")):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+Enter")  # split: two utterances
    page.keyboard.press("Tab")
    page.keyboard.type("Aide")
    assert violations(page) == []
    page.keyboard.press("Control+s")
    page.wait_for_url("**/calls/7#transcript")
    page.wait_for_selector("#words")
    it = site.office.transcripts.store.read("call-7", 3).transcript
    assert (it.by, it.corrects) == ("olaf", 2)
    first = it.lanes[0].utterances[0].words[0]
    assert (first.text, first.marks, first.start) == ("Then", ("uncertain",), 128_300)
    assert [(one.speaker, len(one.words)) for one in it.lanes[1].utterances[1:3]] == [("", 2), ("Aide", 2)]
    until(page, "document.getElementById('words').textContent.includes('Go on.')")
    assert page.evaluate("Object.keys(localStorage).filter(k => k.startsWith('memcon-draft')).length") == 0
    page.context.close()


def test_a_change_is_undone_and_a_draft_outlives_the_page(browser: Browser, site: Site) -> None:
    page = opened(site, browser)
    page.locator(".open-it").last.click()
    page.keyboard.type("Well. ")
    page.keyboard.press("Enter")
    assert "1 change, not saved; a draft is kept in this browser" in page.inner_text("#state")
    page.reload()
    page.wait_for_selector(".utt.changed")
    assert "is put in. 1 change" in page.inner_text("#state")
    assert "Well. I will call her" in page.inner_text("#words")
    page.locator(".open-it").first.click()
    page.keyboard.press("F8")  # words where nothing was heard: at the place of the audio, 0:00
    page.keyboard.type("[inaudible]")
    page.keyboard.press("Alt+ArrowUp")
    until(page, "document.getElementById('state').textContent.startsWith('2 changes')")
    page.click("#undo")
    until(page, "document.getElementById('state').textContent.startsWith('1 change,')")
    page.click("#discard")
    page.wait_for_selector(".open-it")
    until(page, "!document.getElementById('words').textContent.includes('Well.')")
    assert page.locator("#save").is_disabled()
    page.context.close()


def test_somebody_who_was_quicker_takes_nothing_away(browser: Browser, site: Site) -> None:
    mine, theirs = opened(site, browser), opened(site, browser)
    theirs.locator(".open-it").last.click()
    theirs.keyboard.type("Well. ")
    theirs.keyboard.press("Control+s")
    theirs.wait_for_url("**/calls/7#transcript")
    theirs.context.close()
    mine.locator(".open-it").first.click()
    mine.keyboard.type("So: ")
    mine.keyboard.press("Enter")
    mine.locator(".open-it").last.click()
    mine.keyboard.type("Then ")
    mine.keyboard.press("Control+s")
    mine.wait_for_selector("#onto")
    assert "version 3 was written by olaf" in mine.inner_text("#state")
    mine.keyboard.press("Enter")  # the focus is on the way out of it
    mine.wait_for_selector("#conflict-list li")
    conflict = mine.inner_text("#conflict-list")
    assert "yours: Then I will call her" in conflict
    assert "Theirs: Well. I will call her" in conflict
    assert "So: We have the gauge" in mine.inner_text("#words")
    mine.click("text=Drop mine")
    mine.keyboard.press("Control+s")
    mine.wait_for_url("**/calls/7#transcript")
    it = site.office.transcripts.store.read("call-7", 4).transcript
    assert it.lanes[0].utterances[-1].words[0].text == "Well."
    assert it.lanes[1].utterances[0].words[0].text == "So:"
    mine.context.close()


def test_the_page_is_well_formed_on_a_phone_in_the_dark(browser: Browser, still: Site) -> None:
    page = opened(still, browser, viewport={"width": 360, "height": 800}, color_scheme="dark")
    page.locator(".open-it").nth(3).click()
    page.click("#keys-button")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
