"""SIPp as a recording client through a whole call's changes, over UDP and TCP: it must run clean to its end,
and what happened must stand in the record.

Each step is a request and the answer that it must get; SIPp fails the call at any other.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.foreign.conftest import free_port
from tests.foreign.test_sipp import needs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.foreign.conftest import Recorder

pytestmark = pytest.mark.foreign

SDP, XML, MIXED = "application/sdp", "application/rs-metadata+xml", "multipart/mixed;boundary=b"
ZERO = "0.0.0.0"  # noqa: S104 - nothing is bound to it: it stands for nobody
SESSION = "SIPp-session-{n}"
ANN = '<participant participant_id="p1"><nameID aor="sip:ann@example.org"/></participant>'
BEN = '<participant participant_id="p2"><nameID aor="sip:ben@example.org"/></participant>'
CY = '<participant participant_id="p3"><nameID aor="sip:cy@example.org"/></participant>'
STREAMS = "".join(f'<stream stream_id="m{n}"><label>{n}</label></stream>' for n in (1, 2))


def sends(**who: str) -> str:
    """Who sends which stream now."""
    return "".join(
        f'<participantstreamassoc participant_id="{p}">{f"<send>{m}</send>" if m else ""}'
        "</participantstreamassoc>"
        for p, m in who.items()
    )


def document(mode: str, *parts: str, session: str = "") -> str:
    head = f'<session session_id="{session}"/>' if session else ""
    return (
        f'<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>{mode}</datamode>'
        f"{head}{''.join(parts)}</recording>"
    )


def offer(version: int, *labels: str, address: str = "127.0.0.1", direction: str = "sendonly") -> str:
    lines = ["v=0", f"o=- 1 {version} IN IP4 127.0.0.1", "s=-", f"c=IN IP4 {address}", "t=0 0"]
    for n, label in enumerate(labels):
        lines += [f"m=audio {6000 + 2 * n} RTP/AVP 8", f"a={direction}"]
        lines += [f"a=label:{label}"] if label else []
    return "\n".join(lines) + "\n"


def mixed(*parts: tuple[str, str]) -> tuple[str, str]:
    body = "".join(f"--b\nContent-Type: {kind}\n\n{text}\n" for kind, text in parts)
    return MIXED, body + "--b--\n"


class Scenario:
    """A SIPp scenario being written, step by step."""

    def __init__(self) -> None:
        self._steps: list[str] = []
        self._cseq = 0

    def request(
        self,
        method: str,
        content: str = "",
        body: str = "",
        *,
        more: str = "",
        from_: str = "",
        call: str = "",
    ) -> Scenario:
        """A request, its 200, and the ACK of an INVITE."""
        self._cseq += 1
        inside = self._cseq > 1
        to = "[last_To:]" if inside else "To: <sip:memcon@[remote_ip]:[remote_port]>"
        target = "[next_url]" if inside else "sip:memcon@[remote_ip]:[remote_port]"
        kind = f"Content-Type: {content}\n" if content else ""
        head = (
            "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
            f"From: <sip:src@[local_ip]:[local_port]{from_}>;tag=sipp-[call_number]\n"
        )
        rest = f"Call-ID: [call_id]\nCSeq: {self._cseq} "
        contact = "Contact: <sip:src@[local_ip]:[local_port];transport=[transport]>;+sip.src\n"
        self._steps.append(
            f'<send retrans="500"><![CDATA[\n\n{method} {target} SIP/2.0\n{head}{to}\n{rest}{method}\n'
            f"{contact}Max-Forwards: 70\n{more}{kind}Content-Length: [len]\n\n{body}]]></send>"
        )
        if method == "INVITE":
            self._steps.append('<recv response="100" optional="true"/>')
        self._steps.append('<recv response="200" rrs="true"/>')
        if method == "INVITE":
            self._steps.append(
                f"<send><![CDATA[\n\nACK [next_url] SIP/2.0\n{head}[last_To:]\n{rest}ACK\n"
                "Max-Forwards: 70\nContent-Length: 0\n\n]]></send>"
            )
        return self

    def text(self) -> str:
        return '<?xml version="1.0"?>\n<scenario name="s">\n' + "\n".join(self._steps) + "\n</scenario>\n"


def run(directory: Path, recorder: Recorder, transport: str, scenario: Scenario) -> None:
    (directory / "scenario.xml").write_text(scenario.text())
    done = subprocess.run(
        ["sipp", f"127.0.0.1:{recorder.sip_port}", "-sf", "scenario.xml", "-m", "1", "-l", "1",
         "-t", {"udp": "u1", "tcp": "t1"}[transport], "-i", "127.0.0.1", "-p", str(free_port()),
         "-max_socket", "1000", "-nostdin", "-timeout", "40s", "-timeout_error",
         "-trace_err", "-error_file", "errors.log"],
        cwd=directory, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    errors = directory / "errors.log"
    assert done.returncode == 0, errors.read_text() if errors.is_file() else done.stdout[-2000:]


def numbers(recorder: Recorder) -> list[int]:
    done = recorder.command("calls", "--json", "--size", "500")
    return sorted(call["number"] for call in json.loads(done.stdout)["calls"])


def happened(shown: dict[str, Any]) -> list[str]:
    kept = ("hold", "resume", "pause", "unpause")
    return [e["facts"]["type"] for e in shown["events"] if e["facts"]["type"] in kept]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_through_all_its_changes(tmp_path: Path, recorder: Recorder, transport: str) -> None:
    needs("sipp")
    session = SESSION.format(n=transport)
    both = document("complete", ANN, BEN, STREAMS, sends(p1="m1", p2="m2"), session=session)
    third = '<stream stream_id="m3"><label>3</label></stream>'
    scenario = (
        Scenario()
        .request("INVITE", *mixed((SDP, offer(1, "1", "2")), (XML, both)),
                 more="Require: siprec\nSupported: timer,100rel\nSession-Expires: 1800\n")
        .request("OPTIONS")
        .request("UPDATE", XML, document("partial", sends(p2="")))  # hold, bare metadata
        .request("UPDATE", *mixed((XML, document("partial", sends(p2="m2")))))  # resume, alone in a multipart
        .request("INVITE", SDP, offer(2, "1", "2", address=ZERO))  # pause, as BroadWorks does
        .request("INVITE", SDP, offer(3, "1", "2"))
        .request("UPDATE", SDP, offer(4, "1", "2", direction="inactive"))  # pause, as CUBE does
        .request("UPDATE", SDP, offer(5, "1", "2"))
        .request("INVITE", *mixed((SDP, offer(6, "1", "2", "3")),
                                  (XML, document("partial", CY, third, sends(p3="m3")))))  # three-way
        .request("UPDATE", XML, document("complete", CY, STREAMS, sends(p3="m2")))  # transfer: Cy for Ben
        .request("UPDATE", more="Supported: timer\nSession-Expires: 1800\n")  # bare: a session refresh
        .request("INFO", XML, document("partial", ANN))
        .request("PRACK", more="RAck: 1 1 INVITE\n")
        .request("BYE", more="Require: siprec\n")
    )  # fmt: skip
    before = numbers(recorder)
    run(tmp_path, recorder, transport, scenario)
    number = recorder.until("the call", lambda: [n for n in numbers(recorder) if n not in before])[0]
    shown = recorder.ended(number)
    assert [p["aor"].partition("@")[0] for p in shown["parties"]] == ["sip:ann", "sip:ben", "sip:cy"]
    assert happened(shown)[:2] == ["hold", "resume"]
    assert happened(shown).count("pause") == 4  # two lines, twice
    assert happened(shown).count("unpause") == 4
    owners = {s["label"]: s["participant"] for s in shown["streams"] if not s["stream"] % 2}
    assert owners["2"] == "p3"
    assert set(owners) == {"1", "2", "3"}
    assert f"session:{session}" in shown["source_ids"]["links"]
    assert shown["ended_by"] == "sender"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_calls_that_come_twice_are_kept_twice_and_linked(
    tmp_path: Path, recorder: Recorder, transport: str
) -> None:
    """CUCM's two INVITEs, CUBE without metadata, and one session at two recorders' worth of dialogs."""
    needs("sipp")
    refci = f"x-refci=2447491{4 if transport == 'udp' else 5};x-nearendclusterid=c1"
    ends = "x-nearendaddr=2001;x-farendaddr=5551234"
    cube = (
        'X-Cisco-Recording-Participant: <sip:708090@192.0.2.30>;media-index="0"\n'
        'X-Cisco-Recording-Participant: <sip:1002@192.0.2.31>;media-index="1"\n'
    )
    session = SESSION.format(n=f"twice-{transport}")
    told = document("complete", ANN, BEN, STREAMS, sends(p1="m1", p2="m2"), session=session)
    calls = [
        Scenario().request("INVITE", SDP, offer(1, ""), from_=f";x-nearend;{refci};{ends}").request("BYE"),
        Scenario().request("INVITE", SDP, offer(1, ""), from_=f";x-farend;{refci};{ends}").request("BYE"),
        Scenario().request("INVITE", SDP, offer(1, "", ""), more=cube).request("BYE"),
        Scenario().request("INVITE", *mixed((XML, told), (SDP, offer(1, "1", "2")))).request("BYE"),
        Scenario().request("INVITE", *mixed((SDP, offer(1, "1", "2")), (XML, told))).request("BYE"),
    ]
    before = set(numbers(recorder))
    for scenario in calls:
        run(tmp_path, recorder, transport, scenario)
    new = recorder.until(
        "five calls", lambda: len(found := sorted(set(numbers(recorder)) - before)) == 5 and found
    )
    shown = [recorder.ended(number) for number in new]
    related = [[r["number"] for r in one["related"]] for one in shown]
    assert related == [[new[1]], [new[0]], [], [new[4]], [new[3]]]
    assert shown[0]["related"][0]["links"] == [f"refci:{refci.split('=')[1].split(';')[0]}@c1"]
    assert [one["streams"][0]["participant"] for one in shown[:2]] == ["nearend", "farend"]
    assert [s["participant"] for s in shown[2]["streams"] if not s["stream"] % 2] == [
        "sip:708090@192.0.2.30", "sip:1002@192.0.2.31"
    ]  # fmt: skip
