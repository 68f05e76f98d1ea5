from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memcon.clock import NS
from memcon.console.health import DEGRADED, FAILED, OK, alarms, judge, read_words
from memcon.store.paths import RUN_VARIABLE, Home

if TYPE_CHECKING:
    from pathlib import Path

ROLES = ("capture", "witness", "seal", "office")


def words(**said: dict[str, Any]) -> dict[str, dict[str, Any]]:
    well: dict[str, dict[str, Any]] = {role: {"running": True} for role in ROLES}
    well["witness"]["quorum"] = True
    return well | {role: well[role] | more for role, more in said.items()}


def test_all_well_is_ok_without_a_reason() -> None:
    assert (judge(words()).status, judge(words()).reasons) == (OK, ())


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ({"capture": {"trouble": "no space left"}}, DEGRADED, "capture: no space left"),
        ({"capture": {"journal_full": True}}, FAILED, "capture: the journal takes no more audio"),
        ({"seal": {"trouble": "read-only"}}, FAILED, "seal: read-only"),
        ({"seal": {"locked": [3]}}, DEGRADED, "seal: 1 calls wait for a custodian"),
        ({"office": {"troubles": ["vault: full"]}}, DEGRADED, "office: vault: full"),
        ({"office": {"running": False}}, FAILED, "office: not running"),
        ({"witness": {"quorum": False}}, DEGRADED, "witness: no quorum"),
        ({"witness": {"trouble": "no note can be kept"}}, DEGRADED, "witness: no note can be kept"),
    ],
)
def test_each_trouble_is_a_reason(said: dict[str, Any], status: str, reason: str) -> None:
    found = judge(words(**said))
    assert found.status == status
    assert [text for text in found.reasons if text.startswith(reason)]


def test_word_that_is_old_is_of_a_process_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path))
    home = Home(tmp_path)
    home.status("capture").write_text('{"wall": 50000000000, "calls": 2}')
    home.status("seal").write_text("no JSON")
    assert read_words(home, ROLES, NS, 59 * NS)["capture"] == {"running": True, "wall": 50 * NS, "calls": 2}
    assert read_words(home, ROLES, 10 * NS, 69 * NS)["capture"]["running"]  # two beats
    late = read_words(home, ROLES, NS, 60 * NS)
    assert [role for role in ROLES if late[role]["running"]] == []
    assert alarms(late) == []
