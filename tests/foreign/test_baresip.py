"""baresip calls as a telephone does: over TLS with SRTP, and over UDP; what it said is what is heard.

The sound that went in and the decoded recording are laid over each other: they must be the same voice at
one place, sample by sample, not merely something of the same length.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import urllib.request
import wave
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.capture.test_tls import make_pair
from tests.foreign.conftest import free_port, start, stop
from tests.foreign.test_sipp import audio

from memcon.wire.g711 import alaw_decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.foreign.conftest import Recorder

pytestmark = pytest.mark.foreign

MODULES = "/usr/lib/baresip/modules"
TALK_S = 3.0
CONFIG = """poll_method epoll
sip_listen 127.0.0.1:0
sip_cafile {ca}
audio_source aufile,{voice}
audio_player aubridge,nil
audio_alert aubridge,nil
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
rtp_ports {first}-{last}
module_path {modules}
module aufile.so
module aubridge.so
module g711.so
module opus.so
module srtp.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
"""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorder, int, Path]]:
    """A recorder that hears SIP over TLS too: its TLS port, its certificate."""
    if shutil.which("baresip") is None:
        pytest.skip("no `baresip`: apt-get install baresip-core")
    directory = tmp_path_factory.mktemp("secured")
    files, port = make_pair(directory), free_port()

    def configure(text: str) -> str:
        listen = re.sub(r"^listen = \[", f'listen = ["tls://127.0.0.1:{port}", ', text, count=1, flags=re.M)
        named = f'certificate = "{files.certificate}"\nkey = "{files.key}"\n'
        return listen.replace("[media]", f"{named}\n[media]", 1)

    made, process = start(directory, configure=configure)
    yield made, port, files.certificate
    stop(process)


def voice(directory: Path, rate: int) -> NDArray[np.int16]:
    """A voice of the demonstration as a WAV for baresip; the samples at 8 kHz."""
    samples = alaw_decode(audio("solheim", TALK_S))
    with wave.open(str(directory / "voice.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, rate // 8000).astype("<i2").tobytes())
    return samples


def dial(directory: Path, target: str, account: str, *, ca: Path | str = "", rate: int = 8000) -> str:
    """One call that ends when the voice does; what baresip said."""
    first = free_port() // 2 * 2
    config = CONFIG.format(
        ca=ca, voice=directory / "voice.wav", first=first, last=first + 20, modules=MODULES, rate=rate
    )
    if not ca:
        config = config.replace("sip_cafile \n", "")
    (directory / "config").write_text(config)
    (directory / "accounts").write_text(f"<sip:caller@127.0.0.1>;regint=0;{account}\n")
    (directory / "contacts").write_text("")
    process = subprocess.Popen(
        ["baresip", "-f", str(directory), "-v", "-e", f"/dial {target}", "-t", "20"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    said: list[str] = []
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "terminated" in line or "session closed" in line:
                process.send_signal(signal.SIGINT)
    return "".join(said)


def likeness(sent: NDArray[np.int16], heard: NDArray[np.int16]) -> float:
    """The correlation of two sounds at the place where they fit best."""
    size = 1 << (len(sent) + len(heard)).bit_length()
    a, b = np.fft.rfft(sent.astype(float), size), np.fft.rfft(heard.astype(float), size)
    at = int(np.argmax(np.fft.irfft(b * np.conj(a), size)[: len(heard)]))
    piece = heard[at : at + len(sent)]
    return float(np.corrcoef(sent[: len(piece)], piece)[0, 1])


def recorded(recorder: Recorder, number: int) -> tuple[int, NDArray[np.int16]]:
    """Rate and samples of the caller's channel of the exported audio."""
    with wave.open(BytesIO(recorder.export(number, "wav"))) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return file.getframerate(), samples[:, 0]


def played(recorder: Recorder, number: int) -> NDArray[np.int16]:
    """The caller's channel as the call's page plays it to somebody whom a login link has let in."""
    recorder.command("user", "add", "ann", "--role", "operator")  # or she is there already
    link = json.loads(recorder.command("user", "link", "ann", "--json").stdout)["url"]
    person = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with person.open(link) as shown:
        assert shown.status == 200
    address = link.partition("/login/")[0] + f"/calls/{number}"
    with person.open(address) as shown:
        page = shown.read().decode()
    assert f"/calls/{number}/audio/all.wav" in page
    with person.open(f"{address}/audio/all.wav") as sound, wave.open(BytesIO(sound.read())) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.reshape(-1, file.getnchannels())[:, 0]


def test_over_tls_with_srtp(tmp_path: Path, secured: tuple[Recorder, int, Path]) -> None:
    recorder, port, certificate = secured
    sent = voice(tmp_path, 8000)
    target = f"sip:desk@127.0.0.1:{port};transport=tls"
    said = dial(tmp_path, target, "mediaenc=srtp-mand;audio_codecs=pcma", ca=certificate)
    assert "SRTP is Enabled (cryptosuite=AES_CM_128_HMAC_SHA1_80)" in said
    number = newest(recorder)
    shown = recorder.ended(number)
    types = [event["facts"]["type"] for event in shown["events"]]
    assert types.count("keys") == 2  # of the offer and of our answer
    assert shown["received"] >= TALK_S * 50
    rate, heard = recorded(recorder, number)
    assert rate == 8000
    assert likeness(sent, heard) > 0.95
    assert likeness(sent, played(recorder, number)) > 0.95
    checked = recorder.command("verify")
    assert checked.returncode == 0, checked.stdout[-2000:]
    packets = recorder.export(number, "pcap")
    assert b"inline:*****" in packets
    assert not re.search(rb"inline:[A-Za-z0-9+/]{20}", packets)


def test_over_udp_without_siprec(tmp_path: Path, secured: tuple[Recorder, int, Path]) -> None:
    recorder = secured[0]
    sent = voice(tmp_path, 8000)
    dial(tmp_path, f"sip:desk@127.0.0.1:{recorder.sip_port}", "audio_codecs=pcmu")
    number = newest(recorder)
    shown = recorder.ended(number)
    assert (shown["mode"], shown["lost"]) == ("direct", 0)
    assert shown["parties"][0]["aor"] == "sip:caller@127.0.0.1"
    assert likeness(sent, recorded(recorder, number)[1]) > 0.95
    assert likeness(sent, played(recorder, number)) > 0.95


def test_opus_is_heard(tmp_path: Path, secured: tuple[Recorder, int, Path]) -> None:
    recorder = secured[0]
    sent = voice(tmp_path, 48_000)
    said = dial(
        tmp_path, f"sip:desk@127.0.0.1:{recorder.sip_port}", "audio_codecs=opus/48000/2;mediaenc=srtp-mand",
        rate=48_000,
    )  # fmt: skip
    if "opus" not in said:
        pytest.skip("this baresip has no Opus")
    number = newest(recorder)
    assert recorder.ended(number)["streams"][0]["codecs"][0]["name"] == "OPUS"
    rate, heard = recorded(recorder, number)
    assert rate == 48_000
    assert likeness(sent, heard[::6]) > 0.6  # lossy, and our thinning out has no filter


def newest(recorder: Recorder) -> int:
    """The number of the call that was made last."""

    def look() -> int:
        done = recorder.command("calls", "--json", "--size", "1")
        calls = json.loads(done.stdout)["calls"] if done.returncode == 0 else []
        number: int = calls[0]["number"] if calls else 0
        return number

    found: int = recorder.until("a call", look)
    return found
