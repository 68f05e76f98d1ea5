"""SQLite databases that can be made again from files: opened one way, WAL, one writer at a time.

`synchronous=NORMAL`: a power cut may lose the last transactions, never the database; what is indexed
here is found again in the files.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from memcon.clock import NS, SystemClock
from memcon.errors import MachineError, UsageError
from memcon.store.durable import make_dirs

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

BUSY_MS = 10_000
"""How long a writer waits for another before it gives up, in ms."""
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    f"busy_timeout={BUSY_MS}",
    "cache_size=-32000",
    "temp_store=MEMORY",
)


STEPS = 20_000
"""Instructions of SQLite's machine between two looks at the clock: well under a millisecond."""


class TooLongError(UsageError):
    """A question that takes longer to answer than it was given."""


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._clock = SystemClock()
        self._end = self._clock.monotonic_ns() + int(seconds * NS)

    def passed(self) -> bool:
        return self._clock.monotonic_ns() > self._end


class Database:
    """One SQLite file, usable from several threads and processes. Close it when done."""

    def __init__(self, path: Path) -> None:
        make_dirs(path.parent)
        self.path = path
        # The connection used last is taken first: each has a cache of its own, and few need to fill theirs.
        self._engine: Engine = create_engine(
            f"sqlite:///{path}", pool_size=4, max_overflow=16, pool_use_lifo=True
        )
        event.listen(self._engine, "connect", _prepare)
        with self._errors("opening"), self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA user_version")
        path.chmod(0o600)

    @contextmanager
    def read(self, *, seconds: float | None = None) -> Iterator[Connection]:
        """A connection whose reads see one state of the database.

        With `seconds`, reading that takes longer in all is given up: TooLongError.
        """
        with self._errors("reading"), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            driver = connection.connection.driver_connection
            if seconds is not None and driver is not None:
                driver.set_progress_handler(_Deadline(seconds).passed, STEPS)
            try:
                yield connection
            except OperationalError as error:
                if str(error.orig) == "interrupted":
                    raise TooLongError(f"no answer in {seconds} s") from error
                raise
            finally:
                if driver is not None:
                    driver.set_progress_handler(None, 0)
                connection.exec_driver_sql("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it stands when the block ends, none of it when it raises."""
        with self._errors("writing"), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise MachineError(
                f"{doing} {self.path}: {error.orig}",
                cure="If it is damaged, remove it and run memcon rebuild: it is an index over files",
            ) from error


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Set a new connection up; transactions are begun by hand, so that writers never deadlock upgrading."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
