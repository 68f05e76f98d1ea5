"""The reading process as a program: what it can be asked, put together from the rooms that know how."""

from __future__ import annotations

from memcon.intake.worker import MEDIA_TASKS, serve

TASKS = {**MEDIA_TASKS}

if __name__ == "__main__":
    serve(TASKS)
