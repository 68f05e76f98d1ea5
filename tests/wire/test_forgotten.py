"""What a call leaves in memory when it is over: nothing, without the help of the collector of cycles."""

from __future__ import annotations

import gc

from tests.wire.conftest import SECOND, Bench, invite, request


def take_and_end(bench: Bench, n: int) -> None:
    bench.feed(invite(branch=f"z9hG4bK{n}", call_id=f"call-{n}"))
    tag = bench.sent()[-1].to.tag
    assert tag is not None
    bench.feed(request("ACK", cseq=1, to_tag=tag, branch=f"z9hG4bKa{n}", call_id=f"call-{n}"))
    bench.feed(request("BYE", cseq=2, to_tag=tag, branch=f"z9hG4bKb{n}", call_id=f"call-{n}"))


def test_calls_that_are_over_are_no_cycles() -> None:
    """Capture lets the collector run rarely: it holds up answers (`capture.process.COLLECT`)."""
    bench = Bench(ports_left=10_000)
    take_and_end(bench, 0)
    bench.wait(40 * SECOND)
    gc.collect()
    gc.disable()
    try:
        for n in range(1, 11):
            take_and_end(bench, n)
        bench.wait(40 * SECOND)  # 32 s after the BYE its transaction goes too
        assert bench.server.calls() == []
        assert gc.collect() < 10  # one a call would be ten
    finally:
        gc.enable()
