"""How metadata documents add up."""

from __future__ import annotations

from memcon.wire.recording import (
    Group,
    NameId,
    Participant,
    Recording,
    Session,
    SessionLink,
    Stream,
    StreamLink,
    merge,
)

ANN, BOB = Participant("p1", (NameId("sip:ann@x", "Ann"),)), Participant("p2", (NameId("sip:bob@x"),))
FIRST = Recording(
    "complete",
    groups=(Group("g", "t0"),),
    sessions=(Session("s", "g", ("a",), "t1"),),
    participants=(ANN, BOB),
    streams=(Stream("m1", "1", "s"), Stream("m2", "2", "s")),
    session_links=(SessionLink("p1", "s", "t1"), SessionLink("p2", "s", "t1")),
    stream_links=(StreamLink("p1", ("m1",), ("m2",)), StreamLink("p2", ("m2",), ("m1",))),
)


def test_the_first_document_is_what_is_known() -> None:
    assert merge(None, FIRST) is FIRST


def test_hold_and_resume_by_partial_documents() -> None:
    held = merge(FIRST, Recording("partial", stream_links=(StreamLink("p1"),)))
    assert held.labels_with_sender() == {"2"}
    assert held.participants == FIRST.participants
    assert held.participants_of("1") == ()
    resumed = merge(held, Recording("partial", stream_links=(StreamLink("p1", ("m1",), ("m2",)),)))
    assert resumed.participants_of("1") == (ANN,)


def test_a_complete_document_ends_the_links_of_those_it_does_not_name() -> None:
    update = Recording("complete", participants=(BOB,), stream_links=(StreamLink("p2", ("m2",)),))
    merged = merge(FIRST, update)
    assert merged.labels_with_sender() == {"2"}
    assert merged.participants == (ANN, BOB)  # nobody is forgotten, nothing renumbered


def test_the_real_party_arrives_later() -> None:
    """Avaya names itself first and the caller in an update, under the same id or a new one."""
    caller = NameId("sip:caller@x", "Caller")
    merged = merge(
        FIRST, Recording("partial", participants=(Participant("p2", (caller,)), Participant("p3", (caller,))))
    )
    assert [p.id for p in merged.participants] == ["p1", "p2", "p3"]
    assert merged.participants[1].names == (NameId("sip:bob@x"), caller)
    again = merge(merged, Recording("partial", participants=(BOB,)))
    assert again.participants[1].names == (caller, NameId("sip:bob@x"))  # the last said is the current one


def test_gaps_are_filled_from_before() -> None:
    update = Recording(
        "partial",
        groups=(Group("g", "", "t9"),),
        sessions=(Session("s", sip_session_ids=("b",), stop_time="t9"),),
        streams=(Stream("m1", mode="mixed"), Stream("", "7"), Stream("", "7", "s")),
        session_links=(SessionLink("p1", "s", "", "t9"),),
        oddities=("o",),
    )
    merged = merge(FIRST, update)
    assert merged.groups == (Group("g", "t0", "t9"),)
    assert merged.sessions == (Session("s", "g", ("a", "b"), "t1", "t9"),)
    assert merged.streams == (Stream("m1", "1", "s", "mixed"), Stream("m2", "2", "s"), Stream("", "7", "s"))
    assert merged.session_links[0] == SessionLink("p1", "s", "t1", "t9")
    assert merged.oddities == ("o",)
    assert merged.datamode == "complete"
