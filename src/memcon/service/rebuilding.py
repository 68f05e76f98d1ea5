"""`memcon rebuild`: the catalogue made again from vault, log and, where it is here, the custodian's key."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memcon.catalogue.rebuild import KeptCall, Rebuilt, rebuild
from memcon.clock import SystemClock
from memcon.errors import FormatError, UsageError
from memcon.record.beat import decode
from memcon.service.dossiers import notes_of, open_desk
from memcon.service.intakes import Intakes
from memcon.service.searching import CaughtUp, open_search
from memcon.store.durable import read_bytes
from memcon.store.tiles import LogStore
from memcon.vault.keeper import call_id
from memcon.vault.ocfl import StorageRoot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from memcon.catalogue.catalogue import Catalogue
    from memcon.record.beat import Beat
    from memcon.service.archive import Archive
    from memcon.service.config import Config
    from memcon.store.paths import Home


def rebuild_catalogue(
    home: Home, config: Config, catalogue: Catalogue, archive: Archive, say: Callable[[int], None]
) -> Rebuilt:
    """Empty the catalogue and fill it from the files; `say` hears how many calls have been read.

    A call that the custodian's key does not open is indexed by its structure alone.
    """
    done = rebuild(catalogue, _calls(home, config, archive, say), _beats(home))
    catalogue.dossiers.put_notes(notes_of(home))
    problems = open_desk(home, SystemClock(), catalogue).index_all()
    taken = Intakes(home, config, SystemClock(), catalogue).catch_up()
    words = _rebuild_search(home, config, catalogue)
    problems = [*problems, *taken.problems, *words.problems]
    return replace(done, taken=taken.indexed, documents=words.documents, problems=(*done.problems, *problems))


def _rebuild_search(home: Home, config: Config, catalogue: Catalogue) -> CaughtUp:
    with closing(open_search(home, config, SystemClock(), catalogue)) as searching:
        return searching.rebuild()


def _beats(home: Home) -> Iterator[Beat]:
    store = LogStore(home.log)
    for leaf in store.entries(0, store.checkpoint().size):
        beat = decode(leaf)
        if beat.index:  # leaf 0 is no beat
            yield beat


def _numbers(home: Home, config: Config) -> list[int]:
    prefix = call_id(config.origin, 1)[:-1]
    found: set[int] = set()
    for path in (home.vault, config.vault_fallback):
        if path is not None and path.exists():
            ids = StorageRoot(path).object_ids()
            found |= {int(i.removeprefix(prefix)) for i in ids if i.removeprefix(prefix).isdecimal()}
    done = home.work_done
    found |= {int(p.name) for p in done.glob("*") if p.name.isdecimal()} if done.is_dir() else set()
    return sorted(found)


def _calls(home: Home, config: Config, archive: Archive, say: Callable[[int], None]) -> Iterator[KeptCall]:
    for done, number in enumerate(_numbers(home, config), 1):
        record: Mapping[str, Any] | None
        try:
            record = archive.record(number)
        except (UsageError, FormatError):
            record = None
        yield KeptCall(read_bytes(archive.files(number)["leaves.mcl"]), record)
        say(done)
