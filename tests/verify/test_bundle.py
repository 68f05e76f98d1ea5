"""A whole bundle: what an honest one says, and that nothing honest is found fault with."""

from __future__ import annotations

import pytest
from tests.verify import builder as b

from memcon.verify import Trust, trust, verify_bundle
from memcon.verify.findings import CODES


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
