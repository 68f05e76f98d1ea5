"""The pages of a dossier in a browser: read by axe, written on by keyboard, safe from what a source holds."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.browser.conftest import served
from tests.browser.test_accessibility import violations
from tests.browser.test_use import tab_to
from tests.console.dossier_rig import example

from memcon.accounts.desk import AccountsDesk
from memcon.aftermath.sets import EventSets
from memcon.catalogue.catalogue import Catalogue
from memcon.clock import ManualClock
from memcon.store.dossiers import DossierStore
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page
    from tests.browser.conftest import Site

AT = "/d/2017-01-28/1"
PAGES = (
    "/dossiers",
    "/dossiers/new",
    AT,
    f"{AT}/source/2",
    f"{AT}/events",
    f"{AT}/coincidence",
    f"{AT}/entry/4",
)
HOSTILE = b"""<html><head><base href="https://evil.example/">
<meta http-equiv="refresh" content="0;url=https://evil.example">
<link rel="stylesheet" href="https://evil.example/a.css">
<script>document.title='ran'; alert(1)</script></head>
<body onload="alert(2)"><p>They spoke. <img src="https://evil.example/x.png" onerror="alert(3)">
<svg onload="alert(4)"></svg><iframe src="https://evil.example"></iframe>
&lt;script&gt;document.title='ran'&lt;/script&gt;
&lt;img src=https://evil.example/y.png onerror=alert(5)&gt; {{ 7*7 }}
</p></body></html>"""


class Dossiers:
    """A site that keeps dossiers, and their desk."""

    def __init__(self, site: Site, desk: AccountsDesk) -> None:
        self.site = site
        self.desk = desk

    def open(self, browser: Browser, path: str, *, name: str = "olaf", **options: object) -> Page:
        page = self.site.visitor(browser, name=name, **options)
        page.goto(self.site.base + path)
        return page


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dossiers]:
    """The example dossier. Tests add to it, each what no other looks for."""
    yield from _kept(tmp_path_factory.mktemp("dossiers"))


def _kept(root: Path) -> Iterator[Dossiers]:
    home = Home(root / "home")
    shutil.copytree(example(), home.root)
    (root / "office").mkdir()
    with closing(Catalogue(home.catalogue)) as catalogue:
        desk = AccountsDesk(DossierStore(home, ManualClock(), lambda *_: None), catalogue.dossiers)
        sets = EventSets(home.root / "events", lambda *_: None)
        with served(root / "office", dossiers=desk, event_sets=sets) as site:
            yield Dossiers(site, desk)
            assert site.complaints == []


def unfolded(page: Page) -> Page:
    """With every form open."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    browser: Browser, kept: Dossiers, scheme: str, width: int
) -> None:
    page = kept.open(browser, "/", viewport={"width": width, "height": 800}, color_scheme=scheme)
    found = []
    for path in PAGES:
        page.goto(kept.site.base + path)
        found += [f"{path} {one}" for one in violations(unfolded(page))]
        for narrow in (width, 320 if width == 390 else 768):
            page.set_viewport_size({"width": narrow, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > narrow:
                found.append(f"{path} is {wide} px wide at {narrow}")
        page.set_viewport_size({"width": width, "height": 800})
    page.context.close()
    assert found == []


def test_a_pair_of_readouts_is_taken_in_by_keyboard_alone(browser: Browser, kept: Dossiers) -> None:
    page = kept.open(browser, "/dossiers/new")
    for field, text in (
        ("#start", "2018-03-27"),
        ("#nameA", "Ada Adams"),
        ("#countryA", "US"),
        ("#nameB", "Boris Bell"),
        ("#countryB", "FR"),
    ):
        tab_to(page, field)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/d/2018-03-27/1")
    for side, text in (("A", "They discussed Syria and trade."), ("B", "They discussed Syria.")):
        page.goto(f"{kept.site.base}/d/2018-03-27/1")
        if page.locator("#sources details[open]").count() == 0:
            tab_to(page, "#sources summary", most=120)
            page.keyboard.press("Enter")
        tab_to(page, "#sp", most=120)
        page.keyboard.type(text)
        tab_to(page, "#ss")
        page.keyboard.type(side)
        tab_to(page, "#sc")
        page.keyboard.type("comp")
        tab_to(page, "#sources input[name=readout]")
        page.keyboard.press("Space")
        tab_to(page, "#sources form button")
        page.keyboard.press("Enter")
        page.wait_for_url("**/source/*")
    page.goto(f"{kept.site.base}/d/2018-03-27/1")
    assert "1 of 2 topics rests on the account of" in page.inner_text("#readouts").replace("\u00a0", " ")
    page.context.close()


def test_a_point_is_marked_on_a_phone_without_scripts(browser: Browser, kept: Dossiers) -> None:
    page = kept.open(
        browser, f"{AT}/source/2", viewport={"width": 390, "height": 800}, java_script_enabled=False
    )
    first = page.locator(".point").first
    first.locator("summary").click()
    first.locator("select[name=kind]").select_option("tone")
    first.locator("input[name=why]").fill("it says how, not what")
    first.locator("button").click()
    page.wait_for_url("**/source/2#e*")
    assert "tone" in first.locator(".kindof").inner_text()
    first.locator("a", has_text="marked by a person").click()
    page.wait_for_url("**/entry/*")
    assert "Written by olaf" in page.inner_text("main")
    page.context.close()


def test_two_steps_of_a_claim_are_joined_by_keyboard(browser: Browser, kept: Dossiers) -> None:
    made = kept.desk.open("P", {"start": "2001", "title": "A call with a claim"})
    claim = kept.desk.write(made.id, "claim", "P", {"text": "It was so"}).entry.n
    for who, origin in (("First", True), ("Second", False)):
        body = {"claim": claim, "who": who, "stance": "asserts", "origin": origin}
        kept.desk.write(made.id, "appearance", "P", body)
    page = kept.open(browser, f"/d/{made.id}")
    assert "Not traced" in page.inner_text(f"#e{claim}")
    tab_to(page, f"#e{claim} details:nth-of-type(2) summary", most=80)
    page.keyboard.press("Enter")
    tab_to(page, f"#jt{claim}")
    page.keyboard.press("ArrowDown")
    tab_to(page, f"#jk{claim}")
    page.keyboard.type("quotes")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**#e*")
    assert "One origin" in page.inner_text(f"#e{claim}")
    page.locator(f"#e{claim + 2} .walk a", has_text="First").click()
    assert page.url.endswith(f"#e{claim + 1}")
    page.context.close()


def test_nothing_of_a_source_runs_or_loads(browser: Browser, kept: Dossiers, tmp_path: Path) -> None:
    (tmp_path / "<img src=x onerror=alert(6)>.html").write_bytes(HOSTILE)
    id_ = kept.desk.open("P", {"start": "1999", "title": "A call with a hostile source"}).id
    page = kept.open(browser, f"/d/{id_}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: asked.append(f"dialog {dialog.message}"))
    page.set_input_files("#sf", tmp_path / "<img src=x onerror=alert(6)>.html")
    page.fill("#sa", "javascript:alert(7)")
    page.fill("#su", '"><script>alert(8)</script>')
    page.click("#sources form button")
    page.wait_for_url("**/source/2")
    shown = page.inner_text("main")
    assert "They spoke." in shown
    assert "{{ 7*7 }}" in shown
    for path in (f"/d/{id_}", f"/d/{id_}/entry/2", "/dossiers"):
        page.goto(kept.site.base + path)
        assert page.title() != "ran"
        assert page.locator("main img, main iframe, main script, main base").count() == 0
        assert page.locator("a[href^=javascript]").count() == 0
    assert [url for url in asked if not url.startswith(kept.site.base)] == []
    with page.expect_download() as download:  # the bytes as they came are saved, never opened
        page.evaluate(f"location.href = '/d/{id_}/source/2/original'")
    assert download.value.suggested_filename.endswith(".bin")
    assert page.title() != "ran"
    page.context.close()


def test_a_printed_dossier_has_no_forms_and_every_address(browser: Browser, kept: Dossiers) -> None:
    page = kept.open(browser, AT, name="vera")
    page.emulate_media(media="print")
    assert page.locator(".cite:visible, form:visible, .pulse:visible").count() == 0
    for one in ("#record", "#readouts", "#topics", "#followed", "#coincidence", "#sources", ".citation"):
        assert page.locator(one).first.is_visible(), one
    writer = kept.open(browser, AT)
    writer.emulate_media(media="print")
    assert writer.locator("form:visible, details:not([open]) > summary:visible").count() == 0
    page.context.close()
    writer.context.close()
