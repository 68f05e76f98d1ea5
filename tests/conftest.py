"""What holds for every test: Hypothesis by profile, and one directory that the workers of a run share.

HYPOTHESIS_PROFILE=thorough looks ten times as long where a test does not name its own count of examples.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tests.sharing import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

# No deadline: the machine may be busy with others.
settings.register_profile("memcon", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "memcon"))


TRACE = "COVERAGE_PROCESS_CONFIG"  # where coverage looks in a process that was started
TRACED: pytest.StashKey[str] = pytest.StashKey()


@pytest.fixture
def traced_processes(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this test starts is traced for coverage, where the run is: it alone runs whole processes' code."""
    found = pytestconfig.stash.get(TRACED, "")
    if found:
        monkeypatch.setenv(TRACE, found)


@pytest.fixture
def untraced() -> Iterator[None]:
    """For loops over every byte or moment, which run the same lines thousands of times: no coverage tracer.

    No line of this thread counts as covered meanwhile; other tests cover what these only repeat.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


def pytest_configure(config: pytest.Config) -> None:
    """The process that hands tests out makes the directory; its workers find it in their environment.

    Processes that tests start are traced for coverage only where a test asks (`traced_processes`): to trace
    all took 40 % of the whole run's time, and nearly all that they run is tested inside the workers as well.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:  # the workers themselves are traced by then
        config.stash[TRACED] = os.environ.pop(TRACE, "")
    if SHARED not in os.environ:
        os.environ[SHARED] = tempfile.mkdtemp(prefix="memcon-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(SHARED), ignore_errors=True))
