from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError, RemoteError, UsageError
from memcon.record import canonical
from memcon.seal import custody
from memcon.seal.genesis import create_log
from memcon.seal.keys import FILES, create_keys, load_keys
from memcon.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.seal.synthetic import World

HANDLE = bytes(range(32))
KEY = bytes(range(100, 132))


def test_every_custodian_opens_and_nobody_else() -> None:
    (a, seed_a), (b, seed_b) = custody.make_custodian("a", "A"), custody.make_custodian("b", "B")
    wraps = custody.wrap(KEY, HANDLE, [a, b])
    assert custody.unwrap(wraps, HANDLE, "a", seed_a) == KEY
    assert custody.unwrap(wraps, HANDLE, "b", seed_b) == KEY
    for handle, id_, seed in ((HANDLE, "a", seed_b), (bytes(32), "a", seed_a), (HANDLE, "c", seed_a)):
        with pytest.raises(FormatError):
            custody.unwrap(wraps, handle, id_, seed)


def test_the_list_reads_back() -> None:
    custodians = tuple(custody.make_custodian(i, i.upper())[0] for i in "ab")
    assert custody.decode_custodians(custody.encode_custodians(custodians)) == custodians


def one() -> dict[str, canonical.Json]:
    return custody.make_custodian("a", "A")[0].to_json()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"kem": "x25519"}, "kem"),
        ({"key": "00"}, "a key of 1 bytes"),
        ({"key": "0G"}, "lower-case hex"),
        ({"key": "f" * 2 * custody.PUBLIC_SIZE}, "no X-Wing public key"),
        ({"name": 1}, "no text"),
        ({"more": "x"}, "needs id"),
    ],
)
def test_a_custodian_that_is_none(change: dict[str, canonical.Json], match: str) -> None:
    with pytest.raises(FormatError, match=match):
        custody.decode_custodians(canonical.dumps([{**one(), **change}]))


def test_lists_that_are_none() -> None:
    entry = one()
    for value, match in (([], "at least one"), ({}, "at least one"), ([entry, entry], "one id")):
        with pytest.raises(FormatError, match=match):
            custody.decode_custodians(canonical.dumps(value))
    wrap = {"id": "a", "wrap": "00" * custody.WRAP_SIZE}
    bad: list[canonical.Json] = [{}, [1], [{"id": "a"}], [{**wrap, "id": 1}], [wrap, wrap]]
    bad.append([{**wrap, "wrap": "00"}])
    for value in bad:
        with pytest.raises(FormatError, match="wraps"):
            custody.decode_wraps(canonical.dumps(value))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(data: bytes) -> None:
    for read in (custody.decode_custodians, custody.decode_wraps):
        with contextlib.suppress(RemoteError):  # an empty list of wraps is one that can be read
            assert read(data) == ({} if read is custody.decode_wraps else None)


def test_no_custodians_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="memcon init"):
        custody.load_custodians(tmp_path / "custodians.json")


def test_keys_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "keys")
    assert load_keys(tmp_path / "keys") == keys
    assert keys.receipt.hex() not in repr(keys)
    assert len(keys.receipt_public()) == 32
    with pytest.raises(UsageError, match="is there already"):
        create_keys(tmp_path / "keys")
    path = tmp_path / "keys" / FILES[0]
    path.chmod(0o640)
    with pytest.raises(UsageError, match="can be read by others"):
        load_keys(tmp_path / "keys")
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(FormatError, match="5 bytes"):
        load_keys(tmp_path / "keys")
    path.unlink()
    with pytest.raises(UsageError, match="is not there"):
        load_keys(tmp_path / "keys")


def test_a_cadence_no_verifier_accepts_begins_no_log(tmp_path: Path) -> None:
    home = Home(tmp_path)
    keys = create_keys(home.keys)
    with pytest.raises(FormatError, match="period"):
        create_log(home, keys, "x.example/log", 10**18, period_ms=500)
    assert not home.checkpoint.exists()


def test_call_keys_come_and_go(world: World) -> None:
    home = world.home
    home.run.mkdir()
    key = custody.new_call_key(home, 7)
    assert custody.kept_call_key(home, 7) == key
    assert home.call_key(7).stat().st_mode & 0o777 == 0o600
    custody.erase_call_key(home, 7)
    custody.erase_call_key(home, 7)
    assert custody.kept_call_key(home, 7) is None
