"""What `memcon verify TARGET` takes a file for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.running import recorded
from tests.verify.watched import Watched

from memcon.errors import UsageError
from memcon.record.silence import HEADER
from memcon.service.checks import check_target
from memcon.service.witnessing import leave_witnesses
from memcon.store.paths import Home
from memcon.verify.keys import Trust, trust

if TYPE_CHECKING:
    from pathlib import Path


def test_a_silence_certificate_is_checked_as_one(tmp_path: Path) -> None:
    file = tmp_path / "a.silence"
    file.write_text(f"{HEADER}\ndamaged\n")
    with pytest.raises(UsageError, match="memcon silence check"):
        check_target(str(file), Trust())
    report = check_target(str(file), trust((), Watched().policy()))
    assert set(report.counts) == {"silence-form"}


def test_a_file_of_a_structure_feed_has_its_own_command(tmp_path: Path) -> None:
    file = tmp_path / "a.mctx"
    file.write_bytes(b"sealed")
    with pytest.raises(UsageError, match="memcon structure check"):
        check_target(str(file), Trust())


def test_without_witnesses_no_policy_stays_behind(tmp_path: Path) -> None:
    home = Home(tmp_path)
    policy = home.log / "policy"
    policy.parent.mkdir(parents=True)
    policy.write_text("quorum none\n")
    assert leave_witnesses(home, recorded().config)
    assert not policy.exists()
    assert not leave_witnesses(home, recorded().config)
