"""The catalogue: what the feed said and what the files say must come to the same rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.release.synthetic import PARTIES, START, Call, Recorder, entry, record_of, rtp

from memcon.catalogue import searching
from memcon.catalogue.catalogue import Catalogue, Filter
from memcon.catalogue.feed import follow
from memcon.catalogue.numbers import display_number, parse_display
from memcon.catalogue.rebuild import KeptCall, objects_of, rebuild
from memcon.catalogue.schema import OF_A_CALL, calls
from memcon.catalogue.structure import HEARD, HELD, NOTHING, gaps, held, mark_held, read_structure, state_of
from memcon.catalogue.words import words_of
from memcon.errors import FormatError, MachineError
from memcon.record.call import read_leaves
from memcon.release.media import OpenCall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NS = 1_000_000_000


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    made = Catalogue(tmp_path / "c.sqlite")
    yield made
    made.close()


def sent(first: int = 0, count: int = 600, ssrc: int = 1) -> list[tuple[int, bytes]]:
    return [(n * 20_000_000, rtp(n, 160 * n, b"\xff" * 160, ssrc=ssrc)) for n in range(first, first + count)]


def a_call(number: int = 1, **changes: Any) -> Call:
    media = changes.pop("media", {0: sent(), 2: sent(ssrc=2)})
    return Call(number, media=media, start=START + number * 60 * NS + 3 * NS, **changes)


def told(call: Call) -> list[dict[str, Any]]:
    """The feed of one call, as sealing tells it."""
    streams = [{k: v for k, v in e.items() if k not in ("entry", "kind")} for e in call.entries]
    out: list[dict[str, Any]] = [
        {
            "t": "call", "number": call.number, "handle": bytes([call.number]).hex() * 32,
            "wall": call.start, "mode": "siprec", "line": call.line, "parties": call.parties,
            "source_ids": {"sip_call_id": "a"}, "streams": streams, "oddities": [],
        }
    ]  # fmt: skip
    out += [
        {
            "t": "event",
            "number": call.number,
            "n": e.number,
            "since": e.since,
            "wall": e.wall,
            "facts": e.facts,
        }
        for e in call.all_events()
    ]
    return out


def ended(call: Call) -> list[dict[str, Any]]:
    segments = max(1, -(-call.duration // NS))
    return [
        {
            "t": "end", "number": call.number, "wall": call.start + call.duration,
            "duration": call.duration, "segments": segments, "cause": call.cause, "who": 1,
        },
        {"t": "done", "number": call.number},
    ]  # fmt: skip


def dump(catalogue: Catalogue) -> dict[str, list[tuple[Any, ...]]]:
    with catalogue._db.read() as db:
        return {t.name: sorted(tuple(r) for r in db.execute(select(t))) for t in (calls, *OF_A_CALL)}


def leaves_of(recorder: Recorder, call: Call) -> bytes:
    return (recorder.seal(call) / "leaves.mcl").read_bytes()


def test_a_call_lives_ends_and_is_settled(catalogue: Catalogue, tmp_path: Path) -> None:
    call = a_call()
    catalogue.apply(told(call))
    row = catalogue.row(1)
    assert row is not None
    assert (row.state, row.parties, row.duration) == ("live", ("Solheim", "Keller"), None)
    assert [r.number for r in catalogue.live()] == [1]
    beat = {"t": "beat", "index": 1, "slot": 9, "state": 1, "flags": 0, "wall": 5, "published": 6}
    progress = {"1": [7, [[0, 350, 350, 0, 0, 0], [1, 2, 0, 0, 0, 0], [2, 350, 352, 0, 1, 0]]]}
    catalogue.apply([{**beat, "open": progress}])
    detail = catalogue.call(1)
    assert detail is not None
    assert (detail.row.segments, detail.row.lost, detail.row.received) == (7, 3, 700)
    assert [(b.index, b.first, b.segments, b.lost) for b in detail.beats] == [(1, 0, 7, 3)]
    assert detail.beats[0].beat == catalogue.beat(1)
    catalogue.apply(ended(call))
    assert catalogue.unsettled() == (1,)
    catalogue.settle(leaves_of(Recorder(tmp_path), call))
    assert catalogue.unsettled() == ()
    detail = catalogue.call(1)
    assert detail is not None
    assert (detail.row.state, detail.row.lost, detail.row.gaps) == ("recorded", 0, 0)
    assert detail.row.duration == 12 * NS
    assert [s.seconds for s in detail.streams] == [bytes([HEARD] * 12)] * 2
    assert [(b.first, b.segments) for b in detail.beats] == [(0, 7), (7, 5)]
    assert detail.call_root is not None
    assert detail.source_ids == {"sip_call_id": "a"}
    assert [p["name"] for p in detail.parties] == ["Solheim", "Keller"]
    assert [e.facts["type"] for e in detail.events] == ["sip", "sip", "end"]
    assert catalogue.live() == ()


def test_the_feed_told_again_after_the_leaves_changes_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    call = a_call()
    beat = {"t": "beat", "index": 1, "slot": 9, "state": 1, "flags": 0, "wall": 5, "published": 6}
    feed = [*told(call), {**beat, "open": {"1": [3, [[0, 1, 9, 9, 0, 0]]]}}, *ended(call)]
    catalogue.apply(feed)
    catalogue.settle(leaves_of(Recorder(tmp_path), call))
    before = dump(catalogue)
    catalogue.apply(feed)
    assert dump(catalogue) == before


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "recorded"),
        ({"media": {}}, "none"),
        ({"media": {0: [p for n, p in enumerate(sent()) if n != 77], 2: sent(ssrc=2)}}, "partly"),
        ({"media": {0: sent(), 2: [*sent(0, 250), *sent(300, 300)]}}, "partly"),
        ({"media": {0: sent()}}, "partly"),
        ({"media": {0: sent()}, "entries": [entry(0, 0), entry(1, 2, direction="inactive")]}, "recorded"),
        ({"cause": 6}, "partly"),
        ({"flags": 1}, "partly"),
    ],
)
def test_states(catalogue: Catalogue, tmp_path: Path, change: dict[str, Any], state: str) -> None:
    call = a_call(**change)
    catalogue.apply([*told(call), *ended(call)])
    catalogue.settle(leaves_of(Recorder(tmp_path), call))
    row = catalogue.row(1)
    assert row is not None
    assert row.state == state


def test_a_declared_hold_is_no_gap(catalogue: Catalogue, tmp_path: Path) -> None:
    quiet = [p for p in sent() if not 4 * NS <= p[0] < 8 * NS]
    quiet = [(s, rtp(n, 0, b"\xff" * 160)) for n, (s, _) in enumerate(quiet)]  # the sender did not count on
    holds: list[tuple[int, dict[str, Any], bytes]] = [
        (4 * NS, {"type": "hold", "stream": 0}, b""),
        (8 * NS, {"type": "resume", "stream": 0}, b""),
    ]
    call = a_call(media={0: quiet, 2: sent(ssrc=2)}, events=holds)
    catalogue.apply([*told(call), *ended(call)])
    catalogue.settle(leaves_of(Recorder(tmp_path), call))
    detail = catalogue.call(1)
    assert detail is not None
    assert detail.streams[0].seconds == bytes([HEARD] * 4 + [HELD] * 4 + [HEARD] * 4)
    assert detail.row.state == "recorded"


def test_rebuild_makes_the_rows_that_the_feed_made(catalogue: Catalogue, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    kept = []
    for number in (1, 2, 3):
        lossy = [p for n, p in enumerate(sent()) if n % 100 != 7]
        odd: list[tuple[int, dict[str, Any], bytes]] = [(NS, {"type": "oddity", "text": "no Contact"}, b"")]
        call = a_call(
            number,
            events=odd,
            media={0: lossy if number == 2 else sent(), 2: sent(ssrc=2)},
            line=f"l{number}",
        )
        work = recorder.seal(call)
        files = {p.name: p for p in work.iterdir()}
        leaves = files["leaves.mcl"].read_bytes()
        catalogue.apply([*told(call), *ended(call)])
        catalogue.settle(leaves)
        kept.append(KeptCall(leaves, OpenCall.from_files(number, call.key, files).record()))
    before = dump(catalogue)
    result = rebuild(catalogue, kept, recorder.beats)
    assert (result.calls, result.unopened, result.beats, result.problems) == (3, 0, 7, ())
    assert dump(catalogue) == before
    assert [b.index for b in catalogue.beats_last(3)] == [4, 5, 6]
    assert [b.index for b in catalogue.beats_between(recorder.beats[1].slot, recorder.beats[2].slot)] == [
        1,
        2,
    ]
    assert len(catalogue.instances().starts) == 1
    detail = catalogue.call(3)
    assert detail is not None
    assert detail.oddities == ("no Contact",)
    assert catalogue.lines() == ("l1", "l2", "l3")


def test_rebuild_without_a_custodian_knows_the_structure_alone(catalogue: Catalogue, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    call = a_call()
    result = rebuild(catalogue, [KeptCall(leaves_of(recorder, call)), KeptCall(b"torn")], recorder.beats)
    assert (result.calls, result.unopened) == (1, 1)
    assert len(result.problems) == 1
    detail = catalogue.call(1)
    assert detail is not None
    assert detail.row.parties is None
    assert detail.row.line is None
    assert (detail.row.state, detail.row.duration) == ("recorded", 12 * NS)
    assert detail.streams[0].seconds == bytes([HEARD] * 12)


def test_a_record_without_its_keys_is_told(catalogue: Catalogue, tmp_path: Path) -> None:
    leaves = leaves_of(Recorder(tmp_path), a_call())
    broken = {**record_of(a_call()), "streams": [{"stream": "x"}]}
    result = rebuild(catalogue, [KeptCall(leaves, {}), KeptCall(leaves, broken)], [])
    assert result.calls == 0
    assert len(result.problems) == 2
    with pytest.raises(FormatError):
        list(objects_of({"call": "x"}))


def _fill(catalogue: Catalogue, count: int) -> None:
    said: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        call = Call(number, start=START + number * 3600 * NS, line="desk" if number % 3 else "all")
        call.parties = [
            {**PARTIES[0], "name": f"Sólheim {number}"},
            {**PARTIES[1], "aor": f"sip:+4799{number:04d}@b.example"},
        ]
        said += told(call)[:1]
        if number <= count - 2:
            said += ended(call)
    catalogue.apply(said)


def test_register_pages_filters_and_counts(catalogue: Catalogue) -> None:
    _fill(catalogue, 60)
    page = catalogue.register(size=25)
    assert [r.number for r in page.rows] == list(range(60, 35, -1))
    assert (page.total, page.all_calls, page.first_start) == (60, 60, START + 3600 * NS)
    assert page.by_state == {"live": 2, "recorded": 0, "partly": 0, "taken": 0, "none": 58, "accounts": 0}
    assert [r.number for r in catalogue.register(page=3, size=25).rows] == list(range(10, 0, -1))
    assert catalogue.register(page=9).rows == ()
    live = catalogue.register(Filter(states=frozenset({"live"})))
    assert ([r.number for r in live.rows], live.total) == ([60, 59], 2)
    assert catalogue.register(Filter(line="all")).total == 20
    day = catalogue.register(Filter(since=START + 10 * 3600 * NS, until=START + 20 * 3600 * NS))
    assert [r.number for r in day.rows] == list(range(19, 9, -1))
    catalogue.apply(told(a_call(61))[:1])
    assert catalogue.register().total == 61


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("solheim 17", [17]),
        ("SÓLH", None),
        ("990017", [17]),
        ("0017", [17]),
        ("17", [17]),
        ("keller nobody", []),
        ("b.example", None),
        ("sip", []),
    ],
)
def test_text_finds_names_addresses_and_numbers(
    catalogue: Catalogue, text: str, numbers: list[int] | None
) -> None:
    _fill(catalogue, 60)
    found = catalogue.register(Filter(text=text), size=100)
    assert [r.number for r in found.rows] == (list(range(60, 0, -1)) if numbers is None else numbers)
    assert found.total == len(found.rows)


def test_words_of_most_calls_are_not_counted_to_the_end(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(catalogue, 60)
    for text in ("keller", "keller solheim", "solheim 17", "keller 17", "nobody", "keller nobody"):
        whole = catalogue.register(Filter(text=text), page=1)
        monkeypatch.setattr(searching, "MANY", 40)
        monkeypatch.setattr("memcon.catalogue.catalogue.MANY", 40)
        quick = catalogue.register(Filter(text=text), page=1)
        monkeypatch.undo()
        assert quick.rows == whole.rows, text
        assert (quick.total, quick.exact) == (min(whole.total, 40), whole.total <= 40), text
        assert (quick.by_state is None) == (whole.total > 40), text
    monkeypatch.setattr(searching, "MANY", 40)
    monkeypatch.setattr("memcon.catalogue.catalogue.MANY", 40)
    live = catalogue.register(Filter(text="keller", states=frozenset({"live"})))
    assert ([r.number for r in live.rows], live.total, live.exact) == ([60, 59], 2, True)


def test_streams_of_a_page_come_together(catalogue: Catalogue) -> None:
    _fill(catalogue, 3)
    rows = catalogue.register().rows
    told = catalogue.streams_of(rows)
    assert [one.row.number for one in told] == [3, 2, 1]
    detail = catalogue.call(2)
    assert detail is not None
    assert (told[1].parties, told[1].streams) == (detail.parties, detail.streams)
    assert catalogue.streams_of(()) == ()


def test_live_calls_are_counted_and_the_newest_shown(catalogue: Catalogue) -> None:
    _fill(catalogue, 5)
    assert catalogue.live_count() == 2
    assert [row.number for row in catalogue.live(1)] == [5]


def test_display_numbers_both_ways(catalogue: Catalogue) -> None:
    _fill(catalogue, 3)
    row = catalogue.row(2)
    assert row is not None
    assert row.display == display_number(2, row.start_wall)
    assert row.display.endswith("/0002")
    assert catalogue.find(row.display) == catalogue.find("2") == catalogue.find("0002") == 2
    assert catalogue.register(Filter(text=row.display)).rows == (row,)
    for text in ("2020-01-01/0002", "9", "x", "0", "2026-11-19/"):
        assert catalogue.find(text) is None
    assert parse_display("2026-11-19/123456") == ("2026-11-19", 123456)


def test_what_changes_during_a_call_is_taken(catalogue: Catalogue) -> None:
    call = a_call()
    catalogue.apply(told(call))
    changed = {**entry(2, 2), "label": "9"}
    catalogue.apply(
        [{"t": "streams", "number": 1, "streams": [changed], "parties": [*PARTIES, {"id": "p3"}]}]
    )
    catalogue.apply([{"t": "streams", "number": 1, "streams": [entry(3, 4)]}])
    detail = catalogue.call(1)
    assert detail is not None
    assert [s.label for s in detail.streams] == ["1", "9", "3"]
    assert len(detail.parties) == 3


def test_objects_that_cannot_be_understood_cost_only_themselves(catalogue: Catalogue) -> None:
    bad: list[dict[str, Any]] = [
        {"t": "call", "number": 9},
        {"t": "call", **{**told(a_call(8))[0], "parties": [3]}},
        {"t": "news"},
        {},
        {"t": "event", "number": 1, "n": 1, "since": 1, "wall": 1, "facts": {}},
    ]
    assert catalogue.apply([*bad, *told(a_call(7))]) == 5
    assert [r.number for r in catalogue.register().rows] == [7]
    assert catalogue.call(8) is None


def test_a_beat_of_an_unknown_call_is_a_beat(catalogue: Catalogue) -> None:
    beat = {"t": "beat", "index": 3, "slot": 9, "state": 1, "flags": 0, "wall": 5, "published": None}
    assert catalogue.apply([{**beat, "open": {"77": [1, []]}}, {"t": "done", "number": 77}]) == 0
    assert [b.index for b in catalogue.beats_last(5)] == [3]
    assert catalogue.beat(4) is None


def test_instances_and_offs(catalogue: Catalogue) -> None:
    catalogue.apply(
        [
            {"t": "instance", "instance": "aa", "wall": 1},
            {"t": "instance", "instance": "bb", "wall": 2},
            {"t": "off", "wall": 3, "by": "J. Ruiz", "reason": "monthly test"},
        ]
    )
    said = catalogue.instances()
    assert said.starts == (("bb", 2), ("aa", 1))
    assert said.offs == ((3, "J. Ruiz", "monthly test"),)


def test_a_batch_is_applied_once(catalogue: Catalogue) -> None:
    assert catalogue.apply(told(a_call()), feed="f", upto=100) == 0
    assert catalogue.feed_offset("f") == 100
    catalogue.apply(told(a_call(2)), feed="f", upto=100)
    assert catalogue.row(2) is None
    catalogue.apply(told(a_call(2)), feed="f", upto=101)
    assert catalogue.row(2) is not None
    catalogue.clear()
    assert catalogue.feed_offset("f") == 0


def test_following_a_feed_takes_whole_lines_once(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    assert follow(path, catalogue).objects == 0
    path.write_text('{"t":"inst')
    assert follow(path, catalogue).objects == 0
    lines = [json.dumps(x) for x in [{"t": "instance", "instance": "aa", "wall": 1}, *told(a_call())]]
    path.write_text("\n".join(lines) + "\nnot JSON\n[1]\n" + '{"t":"do')
    found = follow(path, catalogue)
    assert (found.objects, found.skipped, found.done) == (len(lines), 2, ())
    assert follow(path, catalogue).objects == 0
    with path.open("a") as file:
        file.write('ne","number":1}\n')
    assert follow(path, catalogue).done == (1,)
    assert catalogue.unsettled() == (1,)
    # After a reboot the feed begins anew, perhaps shorter than it was.
    path.write_text('{"t":"instance","instance":"bb","wall":2}\n')
    assert follow(path, catalogue).objects == 1
    assert catalogue.instances().starts[0] == ("bb", 2)


def test_a_catalogue_of_another_version_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Catalogue(tmp_path / "c.sqlite")
    first.apply(told(a_call()))
    first.close()
    same = Catalogue(tmp_path / "c.sqlite")
    assert same.row(1) is not None
    same.close()
    monkeypatch.setattr("memcon.catalogue.catalogue.VERSION", 999)
    other = Catalogue(tmp_path / "c.sqlite")
    assert other.row(1) is None
    other.close()


def test_a_damaged_catalogue_says_how_to_make_it_again(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(MachineError, match="memcon rebuild"):
        Catalogue(tmp_path / "c.sqlite")


def test_structure_needs_a_first_leaf() -> None:
    with pytest.raises(FormatError, match="first leaf"):
        read_structure(b"mcleavs\x01" + bytes(8))


def test_structure_of_a_call_that_goes_on(catalogue: Catalogue, tmp_path: Path) -> None:
    whole = leaves_of(Recorder(tmp_path), a_call())
    first = next(iter(read_leaves(whole)))
    catalogue.settle(whole[:16] + first.encode())
    row = catalogue.row(1)
    assert row is not None
    assert (row.state, row.segments, row.duration) == ("live", 7, None)


def test_holds_open_at_the_end_and_of_all_streams() -> None:
    said: list[tuple[int, dict[str, Any]]] = [
        (1 * NS, {"type": "hold"}),
        (2 * NS, {"type": "hold"}),
        (3 * NS, {"type": "resume"}),
        (3 * NS, {"type": "resume", "stream": 4}),
        (5 * NS, {"type": "pause", "stream": 2}),
        (6 * NS, {"type": "oddity"}),
    ]
    assert held(said, 9 * NS) == {None: [(NS, 3 * NS)], 2: [(5 * NS, 9 * NS)]}


@given(st.binary(max_size=40), st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=4))
def test_marking_holds_changes_empty_seconds_only(raw: bytes, spans: list[tuple[int, int]]) -> None:
    seconds = bytes(b % 2 for b in raw)
    marked = mark_held(seconds, [(a * NS, b * NS) for a, b in spans])
    assert len(marked) == len(seconds)
    for n, (was, now) in enumerate(zip(seconds, marked, strict=True)):
        inside = any(a <= n < b for a, b in spans)
        assert now == (HELD if was == NOTHING and inside else was)


def test_gaps_spare_the_set_up_and_the_cut_last_second() -> None:
    assert gaps(bytes([0, 0, 1, 1, 0])) == 0
    assert gaps(bytes([0, 0, 0, 1, 0, 1, 0])) == 2
    assert gaps(bytes([0, 0, 0])) == 3
    assert gaps(b"") == 0


@given(
    st.booleans(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.booleans()
)
@settings(max_examples=60)
def test_only_a_call_without_any_fault_is_recorded(
    ended: bool, received: int, lost: int, drops: int, gaps: int, recovered: bool
) -> None:
    state = state_of(
        ended=ended, received=received, lost=lost, drops=drops, gaps=gaps, recovered=recovered, cause=1
    )
    clean = ended and received and not (lost or drops or gaps or recovered)
    assert (state == "recorded") == bool(clean)
    assert (state == "live") == (not ended)


def test_words_of_a_call() -> None:
    found = words_of(
        [{"name": "Jürgen Ångström", "aor": "sip:+4712345678@a.example", "role": None}], "Desk-1"
    )
    assert {"jurgen", "angstrom", "4712345678", "5678", "345678", "a", "example", "desk", "1"} <= found
    assert not found & {"sip", "678"}


# --- the same call, recorded twice ---


def linked(number: int, *links: str, hours: float = 0) -> list[dict[str, Any]]:
    call = told(a_call(number))[0]
    return [call | {"wall": START + int(hours * 3600 * NS), "source_ids": {"links": list(links)}}]


def test_recordings_that_share_a_name_are_shown_together(catalogue: Catalogue) -> None:
    catalogue.apply(linked(1, "session:abcdef", "group:ghijkl"))
    catalogue.apply(linked(2, "session:abcdef", "group:ghijkl", "session:other-one"))
    catalogue.apply(linked(3, "session:somebody"))
    catalogue.apply(linked(4, "session:abcdef", hours=30))  # a name used again another day
    catalogue.apply(linked(1, "session:abcdef", "group:ghijkl"))  # told twice
    one = catalogue.call(1)
    assert one is not None
    assert [(r.number, r.links) for r in one.related] == [(2, ("group:ghijkl", "session:abcdef"))]
    two = catalogue.row(2)
    assert two is not None
    assert one.related[0].display == two.display
    three = catalogue.call(3)
    assert three is not None
    assert three.related == ()


def test_a_name_that_metadata_brings_later_links_too(catalogue: Catalogue) -> None:
    catalogue.apply(linked(1, "session:abcdef"))
    catalogue.apply(linked(2))
    facts = {"type": "metadata", "links": ["session:abcdef"]}
    catalogue.apply([{"t": "event", "number": 2, "n": 0, "since": 0, "wall": START, "facts": facts}])
    two = catalogue.call(2)
    assert two is not None
    assert [r.number for r in two.related] == [1]


def test_the_wire_side_of_an_srtp_stream_is_no_line_of_its_own(catalogue: Catalogue) -> None:
    streams = [{"stream": 0, "label": "1"}, {"stream": 1 << 15, "kind": 3, "label": "1"}]
    catalogue.apply([told(a_call())[0] | {"streams": streams}])
    detail = catalogue.call(1)
    assert detail is not None
    assert [stream.stream for stream in detail.streams] == [0]
