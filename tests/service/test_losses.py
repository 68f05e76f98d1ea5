"""Each missing packet stands in one account: by where in the stream and when in the call it went missing."""

from __future__ import annotations

from memcon.client.load_plan import StreamSent
from memcon.clock import NS
from memcon.service.losses import CallLoss, Claims, Gap, StreamLoss, Takeover, Told, _stream_loss, settle

NOTHING = Claims(0, 0, ended=False)
PACKET = NS // 50


def test_what_the_kernel_dropped_in_a_takeover_is_not_counted_as_the_takeovers_too() -> None:
    """And so it does not hide what went missing elsewhere."""
    takeovers = (Takeover(10 * NS, 20 * NS, kept=True),)
    told = [Told("kernel", 0, 0, 21 * NS, 250)]
    gaps = (Gap(0, 300, 10 * NS, 20 * NS), Gap(0, 50, 30 * NS, 31 * NS))
    settle(gaps, told, takeovers, NOTHING)
    assert gaps[0].accounts == {"kernel": 250, "takeover": 50}
    assert (gaps[0].takeover, gaps[1].takeover) == (0, None)
    loss = StreamLoss(0, "1", 1000, 650, gaps=gaps)
    assert (loss.missing, loss.undeclared) == (350, 50)
    call = CallLoss(1, 0, (loss, StreamLoss(2, "2", 10, 10)), takeovers, 1)
    assert (call.sent, call.kept, call.undeclared, call.accounts.total()) == (1010, 660, 50, 300)
    assert call.to_json()["accounts"] == {"kernel": 250, "takeover": 50}


def test_the_numbering_admits_no_more_than_it_counts() -> None:
    gaps = (Gap(0, 3, NS, 2 * NS), Gap(0, 4, 5 * NS, 6 * NS), Gap(0, 5, 9 * NS, 9 * NS, inside=False))
    settle(gaps, [Told("kernel", 0, NS, 2 * NS, 2)], (), Claims(6, 0, ended=False))
    assert [gap.accounts for gap in gaps] == [{"kernel": 2, "sequence": 1}, {"sequence": 3}, {}]
    assert [gap.left for gap in gaps] == [0, 1, 5]


def test_a_jump_that_looks_like_a_new_beginning_is_in_no_numbering() -> None:
    gaps = (Gap(0, 3000, NS, 61 * NS),)
    settle(gaps, [], (), Claims(3000, 0, ended=False))
    assert gaps[0].left == 3000


def test_the_end_is_declared_by_who_ended_it_or_by_the_senders_report() -> None:
    def tail() -> tuple[Gap, ...]:
        return (Gap(0, 9, 8 * NS, 9 * NS, inside=False),)

    ended, reported, neither = tail(), tail(), tail()
    settle(ended, [], (), Claims(0, 0, ended=True))
    settle(reported, [], (), Claims(0, 5, ended=False))
    settle(neither, [], (), Claims(9, 0, ended=False))
    assert [gaps[0].accounts for gaps in (ended, reported, neither)] == [{"ended": 9}, {"report": 5}, {}]


def test_a_loss_that_was_told_long_before_declares_nothing() -> None:
    gaps = (Gap(0, 5, 20 * NS, 21 * NS),)
    settle(gaps, [Told("kernel", 0, 2 * NS, 3 * NS, 5)], (), NOTHING)
    assert gaps[0].left == 5


SENT = StreamSent("1", 4000, 7, sent=101, first=65_500, packets=102, left_out=(3, 40), twice=(50,))


def came(*numbers: int) -> list[tuple[int, int, int]]:
    return [(7, (65_500 + n) & 0xFFFF, n * PACKET) for n in numbers]


def test_packets_are_told_apart_by_their_numbers_over_the_wrap() -> None:
    there = [n for n in range(102) if n not in (0, 3, 40, 60, 61)]
    there[20], there[21] = there[21], there[20]
    there.insert(50, 50)
    loss = _stream_loss(0, SENT, came(*there), 102 * PACKET)
    assert (loss.sent, loss.kept, loss.missing) == (100, 97, 3)
    assert (loss.repeats_sent, loss.repeats_kept, loss.strange) == (1, 1, 0)
    assert [(g.count, g.after, g.before, g.inside) for g in loss.gaps] == [
        (1, 0, PACKET, False),
        (2, 59 * PACKET, 62 * PACKET, True),
    ]


def test_what_nobody_sent_is_strange() -> None:
    """Of another source, a number that never left, or one beyond the last."""
    others = [(8, 65_500, 0), *came(3, 102, 5)]
    loss = _stream_loss(0, SENT, others, 102 * PACKET)
    assert (loss.kept, loss.strange, loss.missing) == (1, 3, 99)
    nothing = _stream_loss(0, SENT, [], 102 * PACKET)
    assert [(g.count, g.inside) for g in nothing.gaps] == [(100, False)]
