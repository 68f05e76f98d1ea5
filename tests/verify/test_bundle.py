"""A whole bundle: what an honest one says, and that nothing honest is found fault with."""

from __future__ import annotations

import pytest
from tests.verify import builder as b

from memcon.verify import Trust, trust, verify_bundle
from memcon.verify.findings import CODES
from memcon.verify.words import to_text


def codes(data: bytes, trusted: Trust | None = None) -> set[str]:
    """The codes of what is found."""
    return set(verify_bundle(data, trusted).counts)


@pytest.mark.parametrize("mldsa", [False, True])
def test_an_honest_bundle_has_no_finding(mldsa: bool) -> None:
    world, call = b.simple(world=b.begun(mldsa=mldsa))
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert not report.findings
    assert report.exit_code == 0
    assert "5 of 5 seconds match their seals" in report.checked
    assert report.headline.startswith("The recording of call 1 is unaltered since it was sealed, and whole")
    assert [(s["first"], s["last"], s["beat"]) for s in report.seconds] == [(0, 0, 2), (1, 2, 3), (3, 4, 4)]


def test_without_a_key_nothing_is_found_and_the_limit_is_said() -> None:
    world, call = b.simple()
    report = verify_bundle(b.bundle(world, call).pack())
    assert not report.findings
    assert report.exit_code == 3
    assert "No key was given" in report.limits[0]
    assert "nobody has vouched" in report.headline


def test_every_code_has_a_severity_that_exists() -> None:
    assert {code.severity for code in CODES.values()} == {"error", "warning", "note"}


@pytest.mark.parametrize(
    ("lost", "cause", "said", "unsaid"),
    [
        ({}, 1, "whose key you gave.", "never came"),
        ({0: 8}, 1, "whose key you gave. By the recorder's own count 8 packets never came.", "did not end"),
        ({}, 6, "The call did not end there (recorder failed): what followed is not here.", "never came"),
        ({0: 1}, 3, "1 packet never came. The call did not end there (recorder stopped)", "failed"),
    ],
)
def test_the_headline_leaves_nothing_out(lost: dict[int, int], cause: int, said: str, unsaid: str) -> None:
    world = b.begun()
    call = b.Call(world, lost=lost, cause=cause)
    while not call.done:
        world.beat([call])
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert report.ok
    assert said in report.headline
    assert unsaid not in report.headline


def test_long_values_are_cut_in_the_text_and_whole_in_the_json() -> None:
    world, call = b.simple(world=b.begun(mldsa=True))
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    key = max(report.facts["keys, as the log states them"], key=len)
    assert key not in to_text(report)
    assert key[:60] in to_text(report)
    assert key in report.to_json()["facts"]["keys, as the log states them"]
