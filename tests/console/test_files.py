"""Files that leave the console, and errors in words."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.console.fakes import LONG_VKEY, VKEY, FakeLog

from memcon.console.file_view import log_type
from memcon.errors import MachineError
from memcon.verify.keys import trust

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.console.fakes import Office


def test_audio_comes_in_ranges(reader: TestClient) -> None:
    whole = reader.get("/calls/7/audio/all.wav")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
    assert whole.headers["accept-ranges"] == "bytes"
    part = reader.get("/calls/7/audio/all.wav", headers={"range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert reader.get("/calls/7/audio/B.wav").status_code == 200
    assert "attachment" not in whole.headers.get("content-disposition", "")


@pytest.mark.parametrize(
    "path",
    [
        "/calls/7/audio/all.mp3",
        "/calls/7/audio/zz.wav",
        "/calls/7/audio/..%2f.wav",
        "/calls/7/audio/C.wav",
        "/calls/38/audio/all.flac",
        "/calls/999/audio/all.wav",
        "/calls/0/download/bundle",
        "/calls/7/download/keys",
        "/calls/7/download/pcap",
        "/static/../deps.py",
        "/static/nothing.js",
    ],
)
def test_what_is_not_there(reader: TestClient, path: str) -> None:
    answer = reader.get(path)
    assert answer.status_code == 404
    assert "Nothing stands at this address" in answer.text


def test_a_locked_call_says_what_to_do(reader: TestClient) -> None:
    text = reader.get("/calls/7/download/pcap").text
    assert "the call&#39;s key is locked. Unlock a custodian" in text


def test_a_download_has_the_name_of_its_call(reader: TestClient) -> None:
    answer = reader.get("/calls/7/download/bundle")
    assert answer.headers["content-disposition"] == 'attachment; filename="2026-11-23-0007.bundle"'
    assert answer.headers["content-type"] == "application/zip"
    assert "no-cache" in answer.headers["cache-control"]


def test_an_overseer_gets_no_content(office: Office) -> None:
    overseer = office.client("mira")
    for path in ("/calls/7/audio/all.wav", "/calls/7/download/bundle"):
        answer = overseer.get(path)
        assert answer.status_code == 403
        assert "This is not open to your role" in answer.text
    assert office.client("kurt").get("/calls/7/audio/all.wav").status_code == 200


@pytest.mark.parametrize(
    ("name", "kind", "kept"),
    [
        ("checkpoint", "text/plain; charset=utf-8", "no-cache"),
        ("tile/0/x001/234", "application/octet-stream", "immutable"),
        ("statement/" + "ab" * 32, "application/json", "immutable"),
    ],
)
def test_the_log_is_public(office: Office, name: str, kind: str, kept: str) -> None:
    answer = office.client().get(f"/log/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert kept in answer.headers["cache-control"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


def test_a_file_that_grows_while_it_is_sent_is_as_long_as_its_head_says(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, stop = tmp_path / "index", threading.Event()
    index.write_bytes(bytes(48 * 4096))
    monkeypatch.setattr(FakeLog, "path", lambda *_: index)

    def grow() -> None:
        with index.open("ab", buffering=0) as file:
            while not stop.is_set() and file.tell() < 32 << 20:
                file.write(bytes(48))

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        client = office.client()
        for _ in range(20):
            answer = client.get("/log/note/index-2026-11-28")
            assert len(answer.content) == int(answer.headers["content-length"]) >= 48 * 4096
    finally:
        stop.set()
        thread.join()
    index.unlink()
    assert client.get("/log/note/index-2026-11-28").status_code == 404


@pytest.mark.parametrize(
    "name", ["", "secret", "..%2fsecret", "tile/0/000", "tile/0/%2e%2e/%2e%2e/checkpoint", "statement/zz"]
)
def test_the_log_shows_nothing_else(office: Office, name: str) -> None:
    assert office.client().get(f"/log/{name}").status_code == 404


def test_names_of_the_log() -> None:
    partial = log_type("tile/entries/x001/x234/067.p/17")
    assert partial is not None
    assert "immutable" in partial[1]
    note = log_type("note/" + "ab" * 32)
    assert note is not None
    assert "immutable" in note[1]
    assert log_type("note/index-2027-01-15") == ("application/octet-stream", "public, no-cache")
    assert log_type("cosigned") == ("text/plain; charset=utf-8", "public, no-cache")
    for name in ("tile/entries/1", "tile/x/000", "tile/0/000.p/x", "statement/" + "AB" * 32, "checkpoint\n"):
        assert log_type(name) is None


def test_the_keys_as_a_policy_are_public(office: Office) -> None:
    answer = office.client().get("/memcon-log.policy")
    assert answer.headers["content-disposition"] == 'attachment; filename="memcon-log.policy"'
    assert [str(key) for key in trust((), answer.content).keys] == [VKEY, LONG_VKEY]


def test_the_verifier_can_be_taken_away(office: Office) -> None:
    reader = office.client()  # nobody has to sign in to check
    answer = reader.get("/memcon-verify.pyz")
    assert answer.headers["content-disposition"] == 'attachment; filename="memcon-verify.pyz"'
    assert office.deps.verifier_file is not None
    office.deps.verifier_file.unlink()
    assert reader.get("/memcon-verify.pyz").status_code == 404


def test_style_and_fonts_are_served_from_here(office: Office) -> None:
    client = office.client()
    css = client.get("/static/fonts.css")
    assert css.headers["cache-control"] == "public, no-cache"
    assert "http" not in css.text.replace("https://", "")
    for name in ("source-serif-4", "source-sans-3", "source-code-pro"):
        font = client.get(f"/static/fonts/{name}-latin-wght-normal.woff2")
        assert font.status_code == 200
        assert font.content[:4] == b"wOF2"
        assert "max-age" in font.headers["cache-control"]
        assert "SIL Open Font License" in client.get(f"/static/fonts/LICENSE-{name}.txt").text
    again = client.get("/static/fonts.css", headers={"if-none-match": css.headers["etag"]})
    assert again.status_code == 304


def test_every_font_that_the_style_names_is_there(office: Office) -> None:
    client = office.client()
    named = [part.split('"')[1] for part in client.get("/static/fonts.css").text.split("url(")[1:]]
    assert len(named) == 13
    for name in named:
        assert client.get(f"/static/{name}").status_code == 200, name


def test_the_machine_refuses_in_words(office: Office) -> None:
    reader = office.client("vera")
    office.register.fail = MachineError(
        "reading catalogue.sqlite: Input/output error", cure="Check this disk"
    )
    answer = reader.get("/")
    assert answer.status_code == 500
    assert "The machine could not do this" in answer.text
    assert "Input/output error" in answer.text
    assert "Check this disk." in answer.text
    assert "what is recorded is kept" in answer.text
    assert "content-security-policy" in answer.headers


def test_a_defect_shows_no_secrets(office: Office) -> None:
    reader = office.client("vera")
    office.register.fail = RuntimeError("key 0123456789abcdef")
    answer = reader.get("/")
    assert answer.status_code == 500
    assert "0123456789abcdef" not in answer.text
    assert "RuntimeError at GET /" in answer.text


def test_a_wrong_method(reader: TestClient) -> None:
    answer = reader.delete("/status")
    assert answer.status_code == 405
    assert "This address does not take that" in answer.text
