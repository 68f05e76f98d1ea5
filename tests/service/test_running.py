"""Real workers: started, killed, restarted, stopped in order; and what the archive makes of their calls."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.running import ORIGIN, call, copy, new_home, recorded, wait

from memcon.catalogue.catalogue import Catalogue
from memcon.clock import NS, ManualClock, SystemClock
from memcon.errors import FormatError, MachineError, MemconError, UsageError
from memcon.record import beat, statement
from memcon.record.bundle import read_zip
from memcon.seal.genesis import create_log
from memcon.seal.keys import load_keys
from memcon.service import demo, idleness, office, worker
from memcon.service.archive import Archive
from memcon.service.capturing import capture_settings
from memcon.service.checks import check_target, verify_home
from memcon.service.parts import config_parts, source_digest
from memcon.service.rebuilding import rebuild_catalogue
from memcon.service.setup import default_origin, init_home
from memcon.service.supervisor import Supervisor, only_one, prepare_run
from memcon.store.paths import Home
from memcon.store.switch import system_user
from memcon.store.tiles import LogStore
from memcon.verify.keys import Trust

if TYPE_CHECKING:
    from pathlib import Path


def archive() -> Archive:
    done = recorded()
    return Archive(done.home, done.config, SystemClock())


def test_a_clean_stop_ends_with_a_beat_that_says_off_and_by_whom() -> None:
    home = recorded().home
    store = LogStore(home.log)
    leaves = [beat.decode(entry) for entry in store.entries(0, store.checkpoint().size)]
    assert leaves[-1].state == beat.State.OFF
    (leaf,) = [leaf for leaf in leaves[1:] if any(leaf.statement)]  # a slower stop has beats after it
    assert leaf.state == beat.State.OFF
    said = statement.decode((home.log / "statement" / leaf.statement.hex()).read_bytes())
    assert isinstance(said, statement.Off)
    assert (said.by, said.reason, said.how) == ("tester", "the test is over", "system user")
    assert recorded().said == []


@pytest.mark.usefixtures("traced_processes")
def test_killed_workers_come_back_and_the_call_is_kept(tmp_path: Path) -> None:
    config = new_home(tmp_path / "home")
    home, said = Home(tmp_path / "home"), list[str]()
    with (tmp_path / "log").open("wb") as log:
        supervisor = Supervisor(home, SystemClock(), say=said.append, log=log)
        supervisor.start()
        try:
            wait(supervisor.ready)
            assert supervisor.at_work()
            office_pid = supervisor.pids()["office"]
            os.kill(office_pid, signal.SIGKILL)
            wait(lambda: not supervisor.at_work())  # a service manager's watchdog is not fed meanwhile
            stop = threading.Event()

            def watch() -> None:
                while not stop.wait(0.1):
                    supervisor.watch()

            watcher = threading.Thread(target=watch)
            watcher.start()
            killer = threading.Timer(1.5, lambda: os.kill(supervisor.pids()["seal"], signal.SIGKILL))
            killer.start()
            call(config, 4.0)
            wait(lambda: Archive(home, config, SystemClock()).offers(1))
            assert supervisor.at_work()
            assert supervisor.pids()["office"] != office_pid
            stop.set()
            watcher.join()
        finally:
            supervisor.stop("enough")
    assert sorted(text.split()[0] for text in said) == ["office", "seal"], said
    assert all("SIGKILL" in text for text in said)
    report = Archive(home, config, SystemClock()).verify_call(1)
    assert report.ok, report.findings
    assert [r.findings for r in verify_home(home, config, Trust())] == [[], []]


def test_a_port_in_use_is_said_and_ends_the_start(tmp_path: Path) -> None:
    config = new_home(tmp_path / "one")
    text = (tmp_path / "one" / "memcon.toml").read_text()
    init_home(Home(tmp_path / "two"), text, SystemClock())
    first = Supervisor(Home(tmp_path / "one"), SystemClock(), say=print)
    second = Supervisor(Home(tmp_path / "two"), SystemClock(), say=print)
    first.start()
    try:
        wait(first.ready)
        second.start()
        with pytest.raises(MachineError, match="could not start"):
            wait(second.ready)
    finally:
        second.stop("no port")
        first.stop("enough")
    assert config.origin == ORIGIN


def test_one_home_is_served_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with only_one(home), pytest.raises(UsageError, match="already serves"), only_one(home):
        pass
    assert system_user()


def test_a_run_directory_of_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    home = Home(tmp_path / "h")
    prepare_run(home)
    assert home.run.stat().st_mode & 0o777 == 0o700
    home.run.chmod(0o755)
    with pytest.raises(UsageError, match="not a directory of this user alone"):
        prepare_run(home)
    home.run.rmdir()
    home.run.symlink_to(tmp_path)
    with pytest.raises(UsageError, match="not a directory of this user alone"):
        prepare_run(home)


def test_a_home_is_made_once_and_never_over_keys(tmp_path: Path) -> None:
    new_home(tmp_path / "h")
    with pytest.raises(UsageError, match="already"):
        new_home(tmp_path / "h")
    (tmp_path / "h" / "memcon.toml").unlink()
    with pytest.raises(UsageError, match=r"no memcon\.toml"):
        new_home(tmp_path / "h")
    assert "/" in default_origin()


def test_parts_name_keys_lines_and_the_code_that_runs() -> None:
    done = recorded()
    parts = config_parts(done.config, load_keys(done.home.keys), b"[]")
    assert set(parts) == {"custodians", "fleet", "keys", "lines", "recorder", "software"}
    assert json.loads(parts["software"])["digest"] == source_digest()
    assert json.loads(parts["lines"]) == [{"match": "*", "name": "all"}]


def test_worker_settings_and_what_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = capture_settings(recorded().home)
    assert (settings.recorder.origin, settings.recorder.period_ms) == (ORIGIN, 1000)
    assert worker.main(["capture", "--home", str(tmp_path)]) == 2
    assert "memcon init" in capsys.readouterr().err


# --- the archive ---


@pytest.mark.parametrize(("kind", "magic"), [("wav", b"RIFF"), ("flac", b"fLaC"), ("bundle", b"PK")])
def test_exports(kind: Any, magic: bytes) -> None:
    assert archive().export(1, kind).read_bytes().startswith(magic)


def test_pcap_peaks_lanes_and_record() -> None:
    kept = archive()
    assert office.Exports(kept).path(1, "pcap").stat().st_size > 40_000
    assert [offer.kind for offer in office.Exports(kept).offers(1)] == ["wav", "flac", "pcap", "bundle"]
    peaks = kept.peaks(1)
    assert set(peaks) == {"A", "B"}
    assert max(peaks["A"]) > 5
    assert kept.path(1, "B", "wav").stat().st_size < kept.path(1, "all", "wav").stat().st_size
    with pytest.raises(UsageError, match="no lane"):
        kept.path(1, "AB", "wav")
    assert [p["name"] for p in kept.record(1)["parties"]] == ["Ingrid Solheim", "Tomas Keller"]


def test_a_call_that_is_not_there_is_told() -> None:
    assert archive().offers(2) == []
    with pytest.raises(UsageError, match="not in the vault"):
        archive().open(2)
    assert archive().peaks(2) == {}


def test_without_the_custodians_key_nothing_opens(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "h")
    home.local_custodian.unlink()
    with pytest.raises(UsageError, match="custodian's private key"):
        Archive(home, config, SystemClock()).record(1)


def test_a_call_on_its_way_is_not_offered(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "h")
    (home.work_done / "9").mkdir(parents=True)
    (home.work_done / "9" / "leaves.mcl").write_bytes(b"")
    with pytest.raises(UsageError, match="not in the vault yet"):
        Archive(home, config, SystemClock()).files(9)


def test_verify_call_finds_nothing() -> None:
    seen: list[tuple[int, int]] = []
    report = archive().verify_call(1, lambda done, total: seen.append((done, total)))
    assert report.ok
    assert report.headline.startswith("The recording of call 1 is unaltered")


# --- checks ---


def test_each_kind_of_target(tmp_path: Path) -> None:
    done = recorded()
    trusted = Trust(load_keys(done.home.keys).vkeys(ORIGIN))
    bundle = tmp_path / "b.zip"
    bundle.write_bytes(archive().bundle(1))
    assert check_target(str(bundle), trusted, audio_to=tmp_path / "a").exit_code == 0
    assert len(list((tmp_path / "a").glob("*.wav"))) == 2
    assert check_target(str(done.home.log), trusted).exit_code == 0
    directory = archive().files(1)["media.mcs"]
    object_ = next(p for p in directory.parents if (p / "0=ocfl_object_1.1").exists())
    assert check_target(str(object_), trusted).exit_code == 0
    (tmp_path / "empty").touch()
    for target, says in ((tmp_path / "none", "not there"), (tmp_path / "empty", "is empty")):
        with pytest.raises(UsageError, match=says):
            check_target(str(target), trusted)


def test_a_damaged_object_is_named_among_the_others(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "h")
    media = next(home.vault.rglob("media.mcs"))
    data = bytearray(media.read_bytes())
    data[700] ^= 1
    media.write_bytes(data)
    told: list[tuple[int, int]] = []
    log, vault = verify_home(home, config, Trust(), lambda done, total: told.append((done, total)))
    assert log.ok
    assert told
    assert "do not hold" in vault.headline
    assert any(":call:1: " in finding.where for finding in vault.findings)
    assert any("not given by the checker" in line for line in vault.not_checked)


def test_a_call_whose_object_was_deleted_is_missed(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "h")
    object_ = next(home.vault.rglob("media.mcs")).parents[2]
    shutil.rmtree(object_)
    log, vault = verify_home(home, config, Trust())
    assert log.ok
    assert vault.counts == {"object-missing": 1}
    assert "1 call that was sealed is not in it" in vault.headline
    (home.work_done / "1").mkdir(parents=True)  # ended just now, and not kept yet
    assert verify_home(home, config, Trust())[1].ok


def test_a_changed_byte_of_the_vaults_own_files(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "h")
    for file in (path for path in home.vault.rglob("*ocfl*") if path.parent == home.vault):
        data = bytearray(file.read_bytes())
        data[-3] ^= 1
        file.write_bytes(data)
    next(home.vault.rglob("config.json")).unlink()
    assert verify_home(home, config, Trust())[1].counts == {"ocfl-form": 3}


def test_an_object_in_anothers_place(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "h")
    object_ = next(home.vault.rglob("media.mcs")).parents[2]
    object_.rename(object_.with_name("elsewhere"))
    assert verify_home(home, config, Trust())[1].counts == {"object-id": 1}


def test_a_log_begun_again_with_the_same_keys_does_not_fit_its_vault(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "h")
    shutil.rmtree(home.log)
    shutil.rmtree(home.slots)
    create_log(home, load_keys(home.keys), config.origin, SystemClock().wall_ns(), period_ms=1000)
    log, vault = verify_home(home, config, Trust())
    assert log.counts == {"checkpoint-fork": 1}
    assert vault.ok


# --- the catalogue made again ---


def test_rebuild_gives_the_same_register(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "h")
    catalogue = Catalogue(home.catalogue)
    before, page = catalogue.register(), catalogue.call(1)
    kept = Archive(home, config, SystemClock())
    read: list[int] = []
    done = rebuild_catalogue(home, config, catalogue, kept, read.append)
    assert (done.calls, done.unopened, done.problems, read) == (1, 0, (), [1])
    assert catalogue.register() == before
    again = catalogue.call(1)
    assert page is not None
    assert again is not None
    assert (again.events, again.streams, again.call_root) == (page.events, page.streams, page.call_root)
    home.local_custodian.unlink()
    assert rebuild_catalogue(home, config, catalogue, kept, read.append).unopened == 1
    row = catalogue.row(1)
    assert row is not None
    assert row.parties is None
    catalogue.close()


# --- the office ---


def test_the_office_indexes_keeps_and_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, config = copy(tmp_path / "h")
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    (tmp_path / "run").mkdir(mode=0o700)
    home.catalogue.unlink()
    home.feed.write_text('{"t":"instance","instance":"00","wall":1}\nnonsense\n')
    at_work = office.Office(home, config, SystemClock())
    assert at_work.index() == 1
    at_work.keep()
    at_work.say()
    assert json.loads(home.status("office").read_text())["troubles"] == []
    stop = threading.Event()

    def fail() -> None:
        stop.set()
        raise UsageError("no luck")

    at_work.loop(fail, 0.001, stop, "luck")
    at_work.say()
    assert json.loads(home.status("office").read_text())["troubles"] == ["no luck"]
    stop.clear()
    at_work.loop(stop.set, 0.001, stop, "luck")
    at_work.say()
    assert json.loads(home.status("office").read_text())["troubles"] == []
    at_work.catalogue.close()


def test_log_files_never_leave_the_log(tmp_path: Path) -> None:
    files = office.LogFiles(recorded().home.log)
    assert files.path("checkpoint") is not None
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "out").symlink_to(tmp_path)
    (tmp_path / "secret").write_text("x")
    for name in ("../keys/structure.key", "tile//0", ".state", "", "no", "tile"):
        assert files.path(name) is None, name
    assert office.LogFiles(tmp_path / "log").path("out/secret") is None


# --- pieces of the demonstration ---


def test_damage_is_in_the_second_it_names() -> None:
    data = archive().bundle(1)
    changed = demo.damage(data, 2)
    assert sum(a != b for a, b in zip(data, changed, strict=True)) == 1
    with pytest.raises(FormatError):
        read_zip(changed)
    with pytest.raises(MachineError, match="no audio in second 99"):
        demo.damage(data, 99)


def test_waiting_ends_with_an_error_that_names_what() -> None:
    clock = ManualClock()

    def later() -> bool:
        clock.advance(10**9)
        return False

    with pytest.raises(MachineError, match="rain within 3 s"):
        demo.wait_for(later, 3, "rain", clock)


def test_errors_are_ours() -> None:
    assert issubclass(UsageError, MemconError)


def test_what_can_wait_waits_for_an_idle_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, config = copy(tmp_path / "h")
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    (tmp_path / "run").mkdir(mode=0o700)
    made: list[int] = []
    at_work = office.Office(home, config, SystemClock(), kept=made.append)
    monkeypatch.setattr("os.getloadavg", lambda: (0.1, 9.0, 9.0))
    assert idleness.idle(home, SystemClock())  # nothing is recorded here

    def say(calls: int, age: int = 0) -> None:
        said = {"calls": calls, "wall": SystemClock().wall_ns() - age * NS}
        home.status("capture").write_text(json.dumps(said))

    at_work._waiting.extend([7, 8])
    say(calls=idleness.FEW_CALLS + 1)
    at_work.ahead()
    say(calls=0, age=60)
    at_work.ahead()
    home.status("capture").write_text("torn {")
    at_work.ahead()
    assert made == []
    say(calls=1)
    at_work.ahead()
    assert made == [8]
    monkeypatch.setattr("os.getloadavg", lambda: (99.0, 0.1, 0.1))
    at_work.ahead()
    assert made == [8]
    at_work.catalogue.close()


def test_the_office_gives_way_in_its_session_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("os.nice", asked.append)
    monkeypatch.setattr(worker, "AUTOGROUP", tmp_path / "autogroup")
    worker.give_way()
    assert (tmp_path / "autogroup").read_text() == str(worker.OFFICE_NICE) == str(asked[0])
    monkeypatch.setattr(worker, "AUTOGROUP", tmp_path / "none" / "autogroup")
    worker.give_way()  # where the kernel has none
    assert len(asked) == 2
