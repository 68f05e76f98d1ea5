"""Bundles: what a stranger's checker says of them, with and without parts withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.release.synthetic import ORIGIN, PARTIES, STRUCTURE, Call, Recorder, entry, rtp

from memcon.clock import ManualClock
from memcon.errors import FormatError, UsageError
from memcon.record.bundle import OPTIONAL, ORDER, read_manifest, read_zip
from memcon.record.opened import read_openings
from memcon.record.segment import wire_entry
from memcon.release.bundle import ConfigPart, config_parts, make_bundle, policy_text
from memcon.release.media import OpenCall
from memcon.store.paths import Home
from memcon.vault.keeper import Keeper, call_id
from memcon.vault.ocfl import object_path
from memcon.verify.bundle import verify_bundle
from memcon.verify.keys import trust
from memcon.verify.vault import verify_object

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.release.media import RawBlock
    from memcon.verify.findings import Report

NS = 1_000_000_000
SDES = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc"


def a_call(**changes: Any) -> Call:
    media = {
        0: [(n * 20_000_000, rtp(n, 160 * n, bytes([n & 255]) * 160)) for n in range(600)],
        1: [(5 * NS, b"\x80\xc8\x00\x06" + bytes(24))],
        2: [(n * 20_000_000, rtp(n, 160 * n, b"\xff" * 160, ssrc=9)) for n in range(300)],
    }
    entries = [entry(0, 0), entry(1, 1), entry(2, 2)]
    return Call(media=media, entries=entries, **changes)


def kept(tmp_path: Path, call: Call) -> tuple[Recorder, OpenCall]:
    """The call sealed, kept in the vault and opened from there."""
    recorder = Recorder(tmp_path)
    recorder.seal(call)
    keeper = Keeper(Home(tmp_path), ORIGIN, ManualClock())
    assert keeper.keep_done().kept == [call.number]
    return recorder, OpenCall.from_files(call.number, call.key, keeper.find(call.number))


def bundle(recorder: Recorder, call: OpenCall, **options: Any) -> bytes:
    config = config_parts(STRUCTURE, recorder.parts)
    return make_bundle(call, recorder.log.fetch, config=config, policy=policy_text(recorder.vkeys), **options)


def verdict(recorder: Recorder, data: bytes) -> Report:
    return verify_bundle(data, trust(recorder.vkeys))


def findings(report: Report) -> list[str]:
    return [f"{f.code} {f.where} {f.text}" for f in report.findings]


def test_a_whole_bundle_verifies_without_a_finding(tmp_path: Path) -> None:
    recorder, call = kept(tmp_path, a_call())
    data = bundle(recorder, call)
    report = verdict(recorder, data)
    assert findings(report) == []
    assert report.exit_code == 0
    assert "12 of 12 seconds match" in report.headline
    files = read_zip(data)
    assert set(ORDER) - OPTIONAL <= set(files)
    assert sum(name.startswith("statement/") for name in files) == 1
    origin, number, listed = read_manifest(bytes(files["manifest.json"]))
    assert (origin, number) == (ORIGIN, 1)
    assert set(listed) == set(files) - {"manifest.json"}
    assert b"memcon-verify.pyz" in bytes(files["README.txt"])


def test_the_same_call_gives_the_same_bundle(tmp_path: Path) -> None:
    recorder, call = kept(tmp_path, a_call())
    assert bundle(recorder, call) == bundle(recorder, call)


def test_the_vault_object_verifies_too(tmp_path: Path) -> None:
    recorder, _ = kept(tmp_path, a_call())
    report = verify_object(tmp_path / "vault" / object_path(call_id(ORIGIN, 1)), trust(recorder.vkeys))
    # The synthetic call is wrapped to nobody; nothing else may be found.
    assert [f for f in findings(report) if "wraps" not in f and "custodian" not in f] == []


def test_withheld_blocks_stay_commitments_and_everything_else_verifies(tmp_path: Path) -> None:
    recorder, call = kept(tmp_path, a_call())

    def withhold(raw: RawBlock) -> bool:
        return raw.stream == 0 and raw.segment in (3, 4)

    data = bundle(recorder, call, withhold=withhold)
    report = verdict(recorder, data)
    assert {f.code for f in report.findings} == {"media-withheld"}
    assert len(data) < len(bundle(recorder, call)) - 2 * 50 * 160


def test_no_key_and_no_salt_of_what_is_withheld_leaves(tmp_path: Path) -> None:
    recorder, call = kept(tmp_path, a_call())
    data = bundle(recorder, call, withhold=lambda raw: raw.stream == 0)
    assert call.key not in data
    assert STRUCTURE not in data
    assert bytes([77]) * 160 not in data  # packet 77 of stream 0


def test_parties_that_joined_later_do_not_hide_those_at_the_start(tmp_path: Path) -> None:
    sealed = a_call()
    recorder, call = kept(tmp_path, sealed)
    record = call.record()
    later = {**record, "parties": [*PARTIES, {**PARTIES[0], "id": "p3"}]}
    call.record = lambda: later  # type: ignore[method-assign]  # a record whose parties grew
    assert findings(verdict(recorder, bundle(recorder, call))) == []
    call.record = lambda: {**record, "parties": []}  # type: ignore[method-assign]  # nothing fits: withheld
    data = bundle(recorder, call)
    opened = dict(read_openings(bytes(read_zip(data)["openings.mcb"]))[1])
    assert opened[1].data is None
    assert {f.code for f in verdict(recorder, data).findings} == {"withheld"}


def test_without_keys_their_opening_is_empty_and_shown(tmp_path: Path) -> None:
    recorder, call = kept(tmp_path, a_call(bye=b""))
    opened = dict(read_openings(bytes(read_zip(bundle(recorder, call))["openings.mcb"]))[1])
    assert opened[4].data == b""
    assert opened[5].data == b""


def test_a_bundle_shows_no_srtp_key(tmp_path: Path) -> None:
    """The wire side of a stream is there, and checked; the event with the keys is withheld."""
    wire = [(n * 20_000_000, wire_entry(bytes([n]) * 180, opened=n > 5)) for n in range(200)]
    sealed = a_call(events=[(5, {"type": "keys", "lines": 1}, SDES)])
    sealed.media[0x8000] = wire
    sealed.entries.append(entry(3, 0x8000))
    recorder, call = kept(tmp_path, sealed)
    data = bundle(recorder, call)
    assert SDES not in data
    report = verdict(recorder, data)
    assert {f.code for f in report.findings} == {"withheld"}
    assert wire[7][1] in data
    named = report.facts["streams, by the recorder's counters"]
    assert [one["kind"] for one in named][-1] == "SRTP as it came"


def test_a_configuration_the_beats_do_not_name_is_refused(tmp_path: Path) -> None:
    recorder, call = kept(tmp_path, a_call())
    recorder.parts["lines"] = b"[]"
    with pytest.raises(UsageError, match="not the one that the call's beats name"):
        bundle(recorder, call)


def test_a_part_of_the_configuration_may_be_withheld(tmp_path: Path) -> None:
    from memcon.record.config import config_commitment

    recorder, call = kept(tmp_path, a_call())
    config = config_parts(STRUCTURE, recorder.parts)
    whole = config["recorder"]
    assert whole.part is not None
    config["recorder"] = ConfigPart(None, commitment=config_commitment("recorder", whole.salt, whole.part))
    data = make_bundle(call, recorder.log.fetch, config=config, policy=policy_text(recorder.vkeys))
    assert {f.code for f in verdict(recorder, data).findings} == {"withheld"}


def test_a_statement_that_the_log_does_not_serve_is_named(tmp_path: Path) -> None:
    recorder, call = kept(tmp_path, a_call())
    config = config_parts(STRUCTURE, recorder.parts)
    for answer in (None, b"other"):
        with pytest.raises(UsageError, match="statement/"):
            make_bundle(call, lambda path, a=answer: a, config=config, policy=b"")  # type: ignore[misc]


def test_a_record_with_another_stream_table_is_refused(tmp_path: Path) -> None:
    recorder, call = kept(tmp_path, a_call())
    record = call.record()
    call.record = lambda: {**record, "streams": record["streams"][:1]}  # type: ignore[method-assign]
    with pytest.raises(FormatError, match="stream table"):
        bundle(recorder, call)
