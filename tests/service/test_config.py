"""memcon.toml: what is accepted, and that every refusal names the line and what was expected."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError, UsageError
from memcon.service.config import SETTINGS, Config, Line, Setting, SipListen, load, parse, template

HOME = Path("/home/memcon")
MINIMAL = '[recorder]\norigin = "calls.example/one"\n'


def test_defaults() -> None:
    assert parse(MINIMAL, HOME) == Config(
        origin="calls.example/one",
        sip_listen=(SipListen("udp", "127.0.0.1", 5060), SipListen("tcp", "127.0.0.1", 5060)),
        media_address="127.0.0.1",
        media_ports=(20000, 29999),
        period=10,
        lines=(Line("all"),),
        vault_path=HOME / "vault",
        vault_fallback=None,
        console_host="127.0.0.1",
        console_port=8080,
    )


def test_template_is_read_back() -> None:
    config = parse(template("a.example", period=1, sip_port=5070, console_port=8090), HOME)
    assert (config.origin, config.period, config.sip_listen[1].port, config.console_port) == (
        "a.example",
        1,
        5070,
        8090,
    )


def test_lines_and_fallback() -> None:
    text = (
        MINIMAL
        + '[[line]]\nname = "pm"\nmatch = "sip:pm@*"\n[[line]]\nname = "rest"\n'
        + '[vault]\nfallback = "/mnt/two"\n[journal]\nfallback = "spare"\n'
    )
    config = parse(text, HOME)
    assert config.lines == (Line("pm", "sip:pm@*"), Line("rest", "*"))
    assert config.vault_fallback == Path("/mnt/two")
    assert config.journal_fallback is not None
    assert config.journal_fallback.name == "spare"
    assert config.journal_fallback.is_absolute()


def test_tls_and_its_certificate() -> None:
    sip = '[sip]\nlisten = ["tls://127.0.0.1:5061"]\ncertificate = "tls/sip.pem"\nkey = "/etc/sip.key"\n'
    config = parse(MINIMAL + sip, HOME)
    assert config.sip_listen == (SipListen("tls", "127.0.0.1", 5061),)
    assert (config.sip_certificate, config.sip_key) == (HOME / "tls/sip.pem", Path("/etc/sip.key"))


def test_the_consoles_public_names() -> None:
    text = '[console]\nurl = "https://calls.example.org:8443/"\nnames = ["Recorder.example", "192.0.2.7"]\n'
    config = parse(MINIMAL + text, HOME)
    assert config.console_address == "https://calls.example.org:8443"
    assert config.console_names == ("recorder.example", "192.0.2.7")
    assert parse(MINIMAL, HOME).console_address == "http://127.0.0.1:8080"
    for wrong in ('url = "calls.example"', 'url = "https://a.example/x"', 'url = "https://[x/"', 'url = 3',
                  'names = "a"', 'names = ["a b"]', 'url = "ftp://a"', 'url = "https://u@a"'):  # fmt: skip
        with pytest.raises(FormatError, match="expected"):
            parse(f"{MINIMAL}[console]\n{wrong}\n", HOME)


def test_ipv6_listen() -> None:
    config = parse(MINIMAL + '[sip]\nlisten = ["udp://[::1]:5060"]\n[console]\nlisten = "[::1]:8080"\n', HOME)
    assert config.sip_listen == (SipListen("udp", "::1", 5060),)
    assert (config.console_host, config.console_port) == ("::1", 8080)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[recorder]\n", 1, "origin is missing"),
        ("", None, "origin is missing"),
        ('[recorder]\norigin = "has space"\n', 2, "expected the log's name"),
        ('[recorder]\norigin = 7\n', 2, "expected the log's name"),
        (MINIMAL + "\n[beat]\nperiod = 0\n", 5, "is 0; expected a whole number of seconds from 1 to 60"),
        (MINIMAL + "[beat]\nperiod = true\n", 4, "expected a whole number"),
        (MINIMAL + "[beat]\nperiodd = 1\n", 4, "unknown; expected period"),
        (MINIMAL + "[beats]\nperiod = 1\n", 3, "unknown; expected one of [recorder]"),
        ('beat = 3\n' + MINIMAL, 1, "expected a table"),
        ('nonsense = 3\n' + MINIMAL, 1, "unknown; expected one of"),
        (MINIMAL + '[sip]\nlisten = "udp://127.0.0.1:5060"\n', 4, "expected an array"),
        (MINIMAL + '[sip]\nlisten = ["ws://127.0.0.1:5061"]\n', 4, "expected an array"),
        (MINIMAL + '[sip]\nlisten = ["tls://127.0.0.1:5061"]\n', 4, "certificate is missing"),
        (MINIMAL + '[sip]\ncertificate = "c"\nlisten = ["tls://[::1]:5061"]\n', 5, "key is missing"),
        (MINIMAL + '[sip]\nlisten = ["udp://127.0.0.1:99999"]\n', 4, "expected an array"),
        (MINIMAL + '[sip]\nlisten = ["udp://::1:1", "udp://[::1]:1"]\n', 4, "none twice"),
        (MINIMAL + '[sip]\nlisten = [""]\n', 4, "expected an array"),
        (MINIMAL + '[media]\nports = "20000"\n', 4, "FIRST-LAST"),
        (MINIMAL + '[media]\nports = "2000²-30000"\n', 4, "FIRST-LAST"),
        (MINIMAL + '[console]\nlisten = "127.0.0.1:²"\n', 4, "ADDRESS:PORT"),
        (MINIMAL + '[media]\nports = "30000-20000"\n', 4, "FIRST-LAST"),
        (MINIMAL + '[media]\naddress = "not an address"\n', 4, "the IP address that media is sent to"),
        (MINIMAL + '[console]\nlisten = "8080"\n', 4, '"ADDRESS:PORT"'),
        (MINIMAL + '[console]\nlisten = "localhost:8080"\n', 4, '"ADDRESS:PORT"'),
        (MINIMAL + '[drand]\nsource = "latest.json"\n', 4, "[witness] policy is missing"),
        (MINIMAL + '[timestamps]\nauthorities = ["http://tsa/"]\n', 4, "[witness] policy is missing"),
        (MINIMAL + '[timestamps]\nauthorities = ["ftp://tsa/"]\n', 4, "an array of http or https"),
        (MINIMAL + '[timestamps]\nauthorities = "http://tsa/"\n', 4, "an array of http or https"),
        (MINIMAL + '[[line]]\nmatch = "*"\n', 3, "name is missing"),
        (MINIMAL + '[[line]]\nname = "a"\n[[line]]\nname = "a"\n', 6, "stands twice"),
        (MINIMAL + '[line]\nname = "a"\n', 3, "expected [[line]]"),
        (MINIMAL + '[[line]]\nname = "a"\n[[line]]\nname = "b"\nmatch = ""\n', 7, "a SIP URI pattern"),
        ("[recorder\n", None, "not TOML"),
    ],
)  # fmt: skip
def test_refusals_name_the_line(text: str, line: int | None, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(text, HOME)
    assert says in str(caught.value)
    assert "memcon.toml" in str(caught.value)
    if line is not None:
        assert f"at line {line}:" in str(caught.value)


def test_absent_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="memcon init"):
        load(tmp_path / "memcon.toml")


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "memcon.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="not UTF-8"):
        load(path)


def test_load(tmp_path: Path) -> None:
    (tmp_path / "memcon.toml").write_text(MINIMAL)
    assert load(tmp_path / "memcon.toml").vault_path == tmp_path / "vault"


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(FormatError):
        assert isinstance(parse(text, HOME), Config)


VALUES = st.one_of(st.integers(), st.booleans(), st.text("abc[]':/*-0123456789"))


@given(st.sampled_from([s for s in SETTINGS if s.table != "line"]), VALUES)
def test_any_value_is_read_or_refused(setting: Setting, value: int | str) -> None:
    rendered = f'"{value}"' if isinstance(value, str) else str(value).lower()
    head = "" if setting.table == "recorder" else MINIMAL
    with contextlib.suppress(FormatError):
        assert isinstance(parse(f"{head}[{setting.table}]\n{setting.key} = {rendered}\n", HOME), Config)
