"""Databases: transactions stand whole or not at all, and several threads may use one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from memcon.errors import MachineError
from memcon.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "new" / "d.sqlite")
    with made.write() as db:
        db.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    yield made
    made.close()


def numbers(database: Database) -> list[int]:
    with database.read() as db:
        return [row[0] for row in db.exec_driver_sql("SELECT n FROM t ORDER BY n")]


def test_it_is_private_and_in_wal_mode(database: Database) -> None:
    assert database.path.stat().st_mode & 0o777 == 0o600
    with database.read() as db:
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    def work() -> None:
        with database.write() as db:
            db.exec_driver_sql("INSERT INTO t VALUES (1)")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        work()
    assert numbers(database) == []
    with database.write() as db:
        db.exec_driver_sql("INSERT INTO t VALUES (2)")
    assert numbers(database) == [2]


def test_a_reader_sees_one_state_while_a_writer_writes(database: Database) -> None:
    with database.read() as reading:
        assert reading.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
        with database.write() as writing:
            writing.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert reading.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
    assert numbers(database) == [1]


def test_writers_of_several_threads_wait_for_one_another(database: Database) -> None:
    def work(start: int) -> None:
        for n in range(start, start + 10):
            with database.write() as db:
                db.exec_driver_sql("INSERT INTO t VALUES (?)", (n,))

    threads = [threading.Thread(target=work, args=(k * 10,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(database) == list(range(40))


def test_what_is_no_database_is_a_machine_error_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "d.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(MachineError, match="memcon rebuild"):
        Database(tmp_path / "d.sqlite")


def test_errors_of_sqlite_are_machine_errors(database: Database) -> None:
    with pytest.raises(MachineError, match=r"reading .*no such table"), database.read() as db:
        db.exec_driver_sql("SELECT * FROM missing")
    with pytest.raises(MachineError, match=r"writing .*no such table"), database.write() as db:
        db.exec_driver_sql("INSERT INTO missing VALUES (1)")
