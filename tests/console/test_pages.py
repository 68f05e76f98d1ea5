"""Every page, as a reader gets it."""

from __future__ import annotations

import html
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.console.fakes import LONG_VKEY, NOW, ORIGIN, PERIOD, VKEY, lane, make_office

from memcon.clock import NS
from memcon.console import unhurried
from memcon.console.deps import HEARD, Beat, Query, Quorum, RegisterPage, WitnessRow
from memcon.console.words import NBSP, clock_time
from memcon.errors import FormatError
from memcon.verify.attest import Answer
from memcon.verify.window import Window

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.console.fakes import Office

    from memcon.errors import MemconError

EVERY_PAGE = (
    "/",
    "/?q=duty&page=2",
    "/status",
    "/calls/7",
    "/calls/40",
    "/calls/39",
    "/calls/36",
    "/calls/37",
)
FRAGMENTS = ("/fragments/register", "/fragments/pulse", "/fragments/status", "/fragments/call/40")


def words(text: str) -> str:
    """A page as its reader reads it: no tags, plain spaces."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", text))).replace(NBSP, " ")


@pytest.mark.parametrize("path", [*EVERY_PAGE, *FRAGMENTS])
def test_every_page_comes_whole_and_without_inline_code(reader: TestClient, path: str) -> None:
    answer = reader.get(path)
    assert answer.status_code == 200
    assert " style=" not in answer.text
    assert "onclick" not in answer.text
    assert not re.search(r"<script(?! (type=\"module\" )?src=)", answer.text)
    assert answer.headers["cache-control"] == "no-store"


def test_a_console_that_starts_has_its_pages_ready(office: Office) -> None:
    with office.client() as started:
        assert started.get("/login").status_code == 200


def test_the_register_says_how_many_since_when(reader: TestClient) -> None:
    text = words(reader.get("/").text)
    assert "40 calls since 15 October 2026" in text
    assert "2 calls are unrecorded." in text
    assert "Ingrid Solheim and Minister of Finance" in text
    assert "500 seconds sealed so far" in text
    assert "Page 1 of 2" in text
    assert "arland-1 beat 14:19:50" in text


def test_a_live_call_stands_at_the_top_once(reader: TestClient) -> None:
    page = reader.get("/").text
    assert page.count('id="row-40"') == 1
    assert page.index('id="live-rows"') < page.index('id="row-40"') < page.index('id="row-39"')
    found = reader.get("/?state=live").text
    assert found.count('id="row-40"') == 1
    assert 'id="row-39"' not in found


def test_the_register_is_asked_once_a_page(office: Office) -> None:
    reader = office.client("vera")
    office.register.asked.clear()
    reader.get("/")
    assert sorted(office.register.asked) == ["live", "search", "status"]  # live: of the fake's status
    office.register.asked.clear()
    reader.get("/calls/38")
    assert sorted(office.register.asked) == ["call", "live", "status"]


def test_search_filters_and_pages(reader: TestClient) -> None:
    text = reader.get("/?q=solheim&state=recorded&state=partly&from=2026-11-23&to=2026-11-23").text
    assert "2 calls found" in words(text)
    assert 'value="solheim"' in text
    second = reader.get("/?page=2&q=duty").text
    assert "page 2 of 2" in words(second)
    assert 'rel="prev" href="/?q=duty"' in second
    assert 'rel="next"' in reader.get("/").text
    assert 'rel="next" href="/?q=duty&amp;page=2"' in reader.get("/?q=duty").text


@pytest.mark.parametrize("page", ["0", "-3", "x", "99999999999", "١"])
def test_a_page_number_that_is_none_is_the_first(reader: TestClient, page: str) -> None:
    assert "Page 1 of 2" in words(reader.get("/", params={"page": page}).text)


def test_a_day_that_was_not_understood_is_said(reader: TestClient) -> None:
    text = reader.get("/?from=yesterday&to=2026-13-01").text
    assert "From was not understood" in text
    assert "To was not understood" in text
    assert 'value="yesterday"' in text


def test_nothing_found_says_what_to_do(reader: TestClient) -> None:
    text = words(reader.get("/?q=zzz").text)
    assert "No call matches." in text
    assert "The register holds 40 calls" in text


def test_an_empty_register_says_what_to_do(office: Office) -> None:
    office.register.calls = []
    text = words(office.client("vera").get("/").text)
    assert "No call yet" in text
    assert "Point a session recording client" in text


def test_a_call_without_a_name_and_a_hostile_one(reader: TestClient) -> None:
    for path in ("/", "/calls/37"):
        page = reader.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(" in page
        assert "not named" in page
    search = reader.get("/", params={"q": '"><img src=x>'}).text
    assert "<img" not in search


def test_the_page_of_a_call(reader: TestClient) -> None:
    page = reader.get("/calls/7").text
    text = words(page)
    assert "Call 2026-11-23/0007" in text
    assert "345 of 348 seconds without a gap on either lane, 150 packets lost" in text
    assert "348 seconds: 314 with audio, 31 on hold, 3 with a lane lost." in text
    assert "3 seconds lost on lane B at 4:21." in text
    assert "15,700 packets came, 150 lost on the network" in text
    assert "35 beats sealed 348 seconds of this call, each at most 0.30 s after its slot's end" in text
    assert "the operator's clock only" in text
    assert "The metadata names no session group" in text
    assert "Ingrid Solheim–Tomas Keller, telephone call, 23 November 2026, 08:46:32–08:52:19 UTC." in text
    assert f"log {ORIGIN}, leaves 2,252,023–2,252,057. https://callroom.example/calls/7" in text
    assert f"python3 memcon-verify.pyz call 2026-11-23-0007.bundle --key {VKEY}" in text
    assert "Hold begins, both lanes" in text
    assert "2 messages and addresses, by time" in text
    assert text.index("Hold begins") < text.index("messages and addresses") < text.index("INVITE from")
    assert "Made when asked for" not in text
    assert "made when asked for" in text
    assert page.count('class="w60 score"') == 6
    assert page.count('data-into="seal-rows"') == 35
    assert '<audio id="audio" controls' in page


def test_a_live_call_grows_and_offers_no_files(reader: TestClient) -> None:
    page = reader.get("/calls/40").text
    assert 'data-grow="/fragments/call/40"' in page
    assert "<audio" not in page
    assert "/download/" not in page
    assert "still going on" in page
    fragment = reader.get("/fragments/call/40?minute=8").text
    assert fragment.count('class="w60 score"') == 1
    assert fragment.count('data-into="seal-rows"') == 3
    assert "data-ended" not in fragment
    assert reader.get("/fragments/call/40?minute=x").text.count('class="w60 score"') == 9
    assert "data-ended" in reader.get("/fragments/call/7").text


def test_a_call_without_a_stream(reader: TestClient) -> None:
    text = words(reader.get("/calls/36").text)
    assert "the signalling is all there is" in text
    assert "No beat has sealed this call yet." in text
    assert "Nothing but the audio" in text


def test_a_call_of_three_lanes_with_what_the_machine_dropped(office: Office) -> None:
    mine = office.register.calls[2]
    third = replace(lane("C", "Interpreter", bytes([HEARD] * 1443)), dropped=7, duplicates=2, expected=72_200)
    unknown = tuple(replace(seal, published=None) for seal in mine.seals)
    office.register.calls[2] = replace(mine, lanes=(*mine.lanes, third), seals=unknown)
    text = words(office.client("vera").get("/calls/38").text)
    assert "1,443 of 1,443 seconds without a gap on any lane, 52 packets lost" in text
    assert "45 lost on the network, 7 dropped by this machine, 2 came twice" in text
    assert "not known" in text


def test_a_call_without_waveform_says_so(office: Office) -> None:
    mine = office.register.calls[2]
    office.register.calls[2] = replace(mine, lanes=tuple(replace(one, peaks=b"") for one in mine.lanes))
    assert "cannot be worked out here" in words(office.client("vera").get("/calls/38").text)


def test_a_page_comes_before_the_loudness_of_its_call(tmp_path: Path) -> None:
    let = threading.Event()

    class Slow:
        def peaks(self, number: int) -> dict[str, bytes]:
            assert let.wait(60)
            return {"A": b"\x07"}

    office = make_office(tmp_path, waveform=Slow())
    mine = office.register.calls[2]
    office.register.calls[2] = replace(mine, lanes=tuple(replace(one, peaks=b"") for one in mine.lanes))
    text = words(office.client("vera").get("/calls/38").text)
    let.set()
    assert "is being worked out now; load the page again" in text


class Windows:
    """What witnesses say of beats: the first three leaves that are asked for are dated, or it is an error."""

    def __init__(self, error: MemconError | None = None) -> None:
        self.error = error

    def of(self, first: int, last: int) -> list[Window]:
        if self.error is not None:
            raise self.error
        began = NOW // NS - 20_000
        good = [Window(first + n, n, began + n, began + n + 2, Answer.ATTESTED) for n in range(3)]
        half = [
            Window(first + 3, 3, None, began + 5, Answer.EARLY),
            Window(first + 4, 4, began + 4, None, Answer.LATE),
        ]
        return [*good, *half, *(Window(n, n, None, None, Answer.UNKNOWN) for n in range(first + 5, last + 1))]


def test_the_seals_of_a_call_show_what_witnesses_say_of_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unhurried, "PATIENCE", 60)
    text = words(make_office(tmp_path, windows=Windows()).client("vera").get("/calls/7").text)
    began = clock_time(NOW - 20_000 * NS)
    assert "Made between, by witnesses" in text
    assert "each beat within 2 s, by the log's own witnesses; 32 of 35 beats have no window yet." in text
    assert f"{began} to {clock_time(NOW - 19_998 * NS)}" in text
    assert f"by {clock_time(NOW - 19_995 * NS)}" in text
    assert f"after {clock_time(NOW - 19_996 * NS)}" in text
    assert text.count("not dated") == 30
    assert "no outside witness" not in text


def test_a_log_whose_witnesses_cannot_be_read_still_shows_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unhurried, "PATIENCE", 60)
    office = make_office(tmp_path, windows=Windows(FormatError("policy", "is cut", where="log/policy")))
    text = words(office.client("vera").get("/calls/7").text)
    assert "What witnesses say of these times cannot be read" in text
    assert "35 beats sealed 348 seconds" in text


def test_a_call_without_audio_says_so_and_offers_none(reader: TestClient) -> None:
    page = reader.get("/calls/39").text
    text = words(page)
    assert "Unrecorded · no packet of audio came" in text
    assert "there is nothing to hear" in text
    assert "<audio" not in page
    assert 'id="play"' not in page
    assert "download/bundle" in page
    assert "download/wav" not in page
    assert "The loudness" not in text


def test_more_live_calls_than_stand_at_the_top_are_counted(office: Office) -> None:
    office.register.changed = {"live_calls": 60}
    text = words(office.client("vera").get("/").text)
    assert "The newest 1 of 60 live calls stand above." in text
    assert "60 calls going on" in words(office.client("vera").get("/fragments/register").text)


def test_a_live_call_before_its_first_seal(office: Office) -> None:
    mine = office.register.calls[0]
    empty = tuple(replace(one, seconds=b"") for one in mine.lanes)
    office.register.calls[0] = replace(mine, lanes=empty)
    assert "no second sealed yet" in words(office.client("vera").get("/calls/40").text)


def test_a_question_too_common_to_be_counted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    real = office.register.search

    def common(query: Query) -> RegisterPage:
        return replace(real(query), total=25, by_state=None, exact=False)

    monkeypatch.setattr(office.register, "search", common)
    page = office.client("vera").get("/?q=duty").text
    text = words(page)
    assert "More than 25 calls found, not counted further" in text
    assert 'rel="next" href="/?q=duty&amp;page=2"' in page
    assert re.search(r"Partly recorded Taken in Unrecorded", text)


def test_a_recorder_that_is_called_so(office: Office) -> None:
    office.register.changed = {"name": "recorder"}
    assert "<h1>The recorder</h1>" in office.client("vera").get("/status").text


@pytest.mark.parametrize(
    "path", ["/calls/41", "/calls/0", "/calls/99999999999999999999", "/fragments/call/41"]
)
def test_a_call_that_is_not_there(reader: TestClient, path: str) -> None:
    answer = reader.get(path)
    assert answer.status_code == 404
    assert "There is no call" in answer.text
    assert "numbers are dense" in answer.text


def test_an_overseer_sees_seals_and_hears_nothing(office: Office) -> None:
    page = office.client("mira").get("/calls/7").text
    assert 'class="w60 score"' in page
    assert "<audio" not in page
    assert "/download/" not in page
    assert 'id="verify-now"' in page


def test_status_says_what_each_witness_saw(office: Office, reader: TestClient) -> None:
    assert "No outside witness" in words(reader.get("/status").text)
    now = office.register.clock.wall_ns()
    rows = (
        WitnessRow("archives", now, 2_288_401, "agrees", well=True),
        WitnessRow("<b>court</b>", None, 0, "no answer from court.example", well=False),
    )
    office.register.changed = {"quorum": Quorum(True, 2_288_401, now, rows)}
    text = words(reader.get("/status").text)
    assert "A quorum has cosigned 2,288,401 leaves" in text
    assert "no answer from court.example" in text
    assert "never" in text
    assert "No outside witness" not in text
    office.register.changed = {"quorum": Quorum(False, 0, None, rows)}
    assert "No quorum of witnesses." in words(reader.get("/status").text)


def test_status_in_a_sentence(reader: TestClient) -> None:
    text = words(reader.get("/status").text)
    assert "Recording: the last beat sealed the slot that ended 14:19:50 UTC; 1 call is going on." in text
    assert "one tick is one slot of 10 s · 359 slots: 359 recording" in text
    assert "Since 13:20:00 UTC" in text
    assert VKEY in text
    assert LONG_VKEY in text
    assert "Ed25519: short" in text
    assert "ML-DSA-44: long" in text
    assert f"python3 memcon-verify.pyz log http://localhost/log --key {VKEY}" in text
    assert "Recorder arland-1" in text
    assert "212 GB of 500 GB free on /var/lib/memcon" in text
    assert "not running" in text


def beats(*wanted: tuple[int, int, int]) -> tuple[Beat, ...]:
    """(slots before the newest that ended, state, flags), oldest first."""
    last = NOW // PERIOD - 1
    return tuple(Beat(1000 - ago, last - ago, state, flags, 0, None) for ago, state, flags in wanted)


@pytest.mark.parametrize(
    ("some", "said"),
    [
        ((), "no beat has come yet"),
        (
            ((6, 1, 0),),
            "Silent for 1 min 02 s: the last beat came for the slot that ended 23 Nov 2026, 14:18:50 UTC.",
        ),
        (((1, 1, 0),), "Recording: the last beat sealed the slot that ended 14:19:40 UTC"),
        (((4, 1, 0), (0, 2, 1)), "Recording on a degraded machine"),
        (((4, 1, 0), (0, 3, 0)), "Recording, some lines declared off"),
        (((4, 1, 0), (0, 1, 6)), "beats did not come."),
        (((9, 4, 0),), "Off, by declaration. By J. Ruiz: monthly test"),
    ],
)
def test_the_answer_follows_the_beats(
    office: Office, some: tuple[tuple[int, int, int], ...], said: str
) -> None:
    office.register.beats = beats(*some)
    office.register.off = "By J. Ruiz: monthly test"
    text = words(office.client("vera").get("/status").text)
    assert said in text


def test_flags_and_missing_beats_stand_in_the_table(office: Office) -> None:
    office.register.beats = beats((3, 1, 0), (0, 2, 7))
    page = office.client("vera").get("/status").text
    text = words(page)
    assert "late backlog, clock step, restored from a copy" in text
    assert re.search(r"Silent 14:19:20 \d+ none —", text)
    assert "Degraded" in text


def test_the_first_leaf_is_no_beat(office: Office) -> None:
    last = NOW // PERIOD - 1
    office.register.beats = (Beat(0, last, 4, 0, NOW, None),)
    page = office.client("vera").get("/status").text
    assert "no beat yet" in page
    assert "no beat has come yet" in page


def test_what_somebody_has_to_do_something_about_stands_above_all(office: Office) -> None:
    """The alarms of `memcon status` and /healthz, no rules of the page's own."""
    assert "Alarms" not in office.client("vera").get("/status").text
    office.register.changed = {"alarms": ("seal: read-only <file system>", "office: not running")}
    page = office.client("vera").get("/status").text
    assert '<li><span class="person">seal: read-only &lt;file system&gt;</span></li>' in page
    assert '<li><span class="person">office: not running</span></li>' in page


def test_a_quiet_recorder_without_calls_processes_or_disk(office: Office) -> None:
    office.register.changed = {"live_calls": 0, "processes": (), "disk": None}
    text = words(office.client("vera").get("/status").text)
    assert "no call is going on" in text
    assert "No process has said anything" in text
    assert "Disk" not in text


def test_two_live_calls(office: Office) -> None:
    office.register.changed = {"live_calls": 2}
    assert "2 calls are going on" in words(office.client("vera").get("/status").text)


def test_the_masthead_counts_silence(office: Office) -> None:
    office.register.beats = beats((59, 1, 0), (9, 1, 0), (8, 1, 0))
    page = office.client("vera").get("/fragments/pulse").text.replace(NBSP, " ")
    assert "silent for 9 min 10 s of the last 10 min 00 s" in page


def test_verification_shows_what_was_checked_found_and_not(office: Office) -> None:
    reader = office.client("vera")
    before = reader.get("/calls/7").text
    assert "Not checked on this machine" in before
    token = re.findall(r'name="token" value="([0-9a-f]+)"', before)[0]
    answer = reader.post("/calls/7/verify", data={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/calls/7#verify")
    text = words(reader.get("/calls/7").text)
    assert "The recording is unaltered and whole from its first leaf to its last." in text
    assert "348 of 348 seconds match their seals" in text
    assert "Checked on this machine on 23 November 2026 at 14:19:52 UTC by vera, in" in text
    assert "What this does not prove" in text
    assert "No key was given" in text
    assert "Nothing that is not as it should be." in text
    office.verifier.bad = True
    reader.post("/calls/7/verify", data={"token": token})
    text = words(reader.get("/calls/7").text)
    assert "Error. Second 17 does not match its seal. At 0:17 ." in text
    assert "media-segment, media.mcb" in text
    assert "Warning." in text
    assert "Note." in text
    assert "91 more findings" in text
    assert "2 more of the same" in text


def test_the_page_remembers_the_newest_verdicts_only(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memcon.console.verdicts._KEPT_VERDICTS", 1)
    reader = office.client("vera")
    token = re.findall(r'name="token" value="([0-9a-f]+)"', reader.get("/calls/7").text)[0]
    for number in (7, 38):
        reader.post(f"/calls/{number}/verify", data={"token": token})
    assert "Not checked on this machine" in reader.get("/calls/7").text
    assert "Not checked on this machine" not in reader.get("/calls/38").text


def test_asking_for_a_verification_by_address_leads_to_its_button(reader: TestClient) -> None:
    answer = reader.get("/calls/7/verify")
    assert (answer.status_code, answer.headers["location"]) == (303, "/calls/7#verify")


def test_a_live_call_cannot_be_verified_yet(office: Office) -> None:
    reader = office.client("vera")
    token = re.findall(r'name="token" value="([0-9a-f]+)"', reader.get("/").text)[0]
    answer = reader.post("/calls/40/verify", data={"token": token})
    assert answer.status_code == 409
    assert "the call is still going on" in answer.text


def test_without_a_public_address_the_page_cites_its_own(tmp_path: Path) -> None:
    office = make_office(tmp_path, public_url="", office="", verifier_file=None)
    page = office.client("vera").get("/calls/7").text
    assert f"Log {ORIGIN}, leaves" in page
    assert "http://localhost/calls/7" not in page
    assert "a name that only this machine has" in page
    assert "memcon-verify.pyz" not in page
    assert "python3 -m memcon.verify call 2026-11-23-0007.bundle" in page
    from_outside = office.client("vera").get("/calls/7", headers={"host": "recorder.example:8080"}).text
    assert "http://recorder.example:8080/calls/7</p>" in from_outside


def test_a_very_long_call_stays_one_piece_of_work(office: Office) -> None:
    six_hours = bytes([HEARD] * 6 * 3600)
    mine = office.register.calls[2]
    office.register.calls[2] = replace(
        mine,
        row=replace(mine.row, duration=6 * 3600 * NS, seal=six_hours),
        lanes=(lane("A", "X", six_hours), lane("B", "Y", six_hours)),
    )
    page = office.client("vera").get("/calls/38")
    assert page.text.count('class="w60 score"') == 360
    assert len(page.content) < 3_000_000
