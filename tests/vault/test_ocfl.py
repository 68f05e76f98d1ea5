"""The OCFL writer against its spec, against an independent checker, and against a crash at every step."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError, LocalError, MachineError, UsageError
from memcon.store import durable
from memcon.vault import inventory as inv
from memcon.vault.inventory import User
from memcon.vault.ocfl import LAYOUT, StorageRoot, object_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

USER = User("memcon", "urn:memcon:0011223344556677")
ID = "urn:memcon:0011223344556677:call:1"
WHEN = "2026-11-24T04:00:00Z"


def add(root: StorageRoot, object_id: str = ID, **files: bytes) -> inv.Inventory:
    named: dict[str, Path | bytes] = {name.replace("__", "."): data for name, data in files.items()}
    return root.add_object(object_id, named, message="first", user=USER, created=WHEN)


def change(root: StorageRoot, object_id: str = ID, **files: bytes) -> inv.Inventory:
    named: dict[str, Path | bytes] = {name.replace("__", "."): data for name, data in files.items()}
    return root.add_version(object_id, named, message="second", user=USER, created=WHEN)


def tree(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_root_says_what_it_is_and_is_made_once(tmp_path: Path) -> None:
    root = StorageRoot.create(tmp_path / "v")
    before = tree(root.path)
    assert before["0=ocfl_1.1"] == b"ocfl_1.1\n"
    assert json.loads(before["ocfl_layout.json"])["extension"] == LAYOUT
    config = json.loads(before[f"extensions/{LAYOUT}/config.json"])
    assert config == {
        "extensionName": LAYOUT,
        "digestAlgorithm": "sha256",
        "tupleSize": 3,
        "numberOfTuples": 3,
    }
    StorageRoot.create(tmp_path / "v")
    assert tree(root.path) == before


def test_layout_examples_of_the_extension() -> None:
    # The examples of extension 0003 with its default parameters.
    assert object_path("object-01") == "3c0/ff4/240/object-01"
    assert object_path("..hor/rib:le-$id") == "487/326/d8c/%2e%2ehor%2frib%3ale-%24id"
    digest = hashlib.sha256(("a" * 120).encode()).hexdigest()
    assert object_path("a" * 120).endswith(f"/{'a' * 100}-{digest}")


def test_objects_and_versions_read_back(tmp_path: Path) -> None:
    root = StorageRoot.create(tmp_path / "v")
    source = tmp_path / "big"
    source.write_bytes(b"x" * 3_000_000)
    root.add_object(ID, {"a": b"one", "dir/big": source}, message="m", user=USER, created=WHEN)
    assert root.has(ID)
    assert root.read(ID, "a") == b"one"
    assert root.read(ID, "dir/big") == source.read_bytes()
    second = root.add_version(ID, {"a": b"two", "c": b"one"}, message="m", user=USER, created=WHEN)
    assert second.head == "v2"
    assert root.read(ID, "a") == b"two"
    assert root.read(ID, "a", "v1") == b"one"
    assert root.read(ID, "c") == b"one"
    # The bytes of `c` stood in v1 already: forward delta.
    assert root.files(ID)["c"] == root.path / object_path(ID) / "v1/content/a"
    assert sorted(root.files(ID, "v1")) == ["a", "dir/big"]
    assert root.check(ID) == []
    assert list(root.object_ids()) == [ID]


def test_a_version_without_change_is_not_made(tmp_path: Path) -> None:
    root = StorageRoot.create(tmp_path / "v")
    first = add(root, a=b"1")
    assert change(root, a=b"1") == first
    assert not (root.path / object_path(ID) / "v2").exists()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    root = StorageRoot.create(tmp_path / "v")
    with pytest.raises(UsageError, match="has no object"):
        root.inventory(ID)
    with pytest.raises(UsageError, match="has no object"):
        change(root, a=b"1")
    add(root, a=b"1")
    with pytest.raises(UsageError, match="already has"):
        add(root, a=b"1")
    with pytest.raises(FormatError, match="no file 'b'"):
        root.read(ID, "b")
    for version in ("v2", "v0", "x"):
        with pytest.raises(FormatError, match="no version"):
            root.read(ID, "a", version)
    with pytest.raises(FormatError, match="does not stay within"):
        root.add_version(ID, {"../a": b""}, message="m", user=USER, created=WHEN)


def test_removed_object_leaves_no_empty_directories(tmp_path: Path) -> None:
    root = StorageRoot.create(tmp_path / "v")
    empty = tree(root.path)
    add(root, a=b"1")
    root.remove_object(ID)
    assert not root.has(ID)
    assert tree(root.path) == empty
    assert sorted(p.name for p in root.path.iterdir()) == ["0=ocfl_1.1", "extensions", "ocfl_layout.json"]


def _damage(tmp_path: Path, harm: Callable[[Path], object]) -> list[tuple[str, str]]:
    root = StorageRoot.create(tmp_path / "v")
    add(root, a=b"1", b=b"2")
    change(root, a=b"3")
    harm(root.path / object_path(ID))
    return [(p.path, p.text) for p in root.check(ID)]


@pytest.mark.parametrize(
    ("harm", "path", "text"),
    [
        (lambda o: (o / "v1/content/b").write_bytes(b"4"), "v1/content/b", "differs"),
        (lambda o: (o / "v1/content/b").unlink(), "v1/content/b", "missing"),
        (lambda o: (o / "v1/content/z").write_bytes(b""), "v1/content/z", "not in the inventory"),
        (lambda o: (o / "v1/inventory.json").write_bytes(b"{}"), "v1/inventory.json", "sidecar"),
        (lambda o: (o / "v1/inventory.json.sha512").unlink(), "v1/inventory.json.sha512", "missing"),
        (lambda o: (o / "inventory.json").write_bytes(b"{}"), "inventory.json", "sidecar"),
    ],
)
def test_fixity_names_each_damage(
    tmp_path: Path, harm: Callable[[Path], object], path: str, text: str
) -> None:
    found = _damage(tmp_path, harm)
    assert any(p == path and text in t for p, t in found)


def test_fixity_of_an_object_without_any_whole_inventory(tmp_path: Path) -> None:
    def harm(directory: Path) -> None:
        for file in directory.rglob("inventory.json"):
            file.write_bytes(b"{}")

    found = _damage(tmp_path, harm)
    assert [path for path, _ in found] == ["inventory.json"]
    assert "no inventory matches its sidecar" in found[0][1]


def test_read_refuses_altered_bytes_and_missing_files(tmp_path: Path) -> None:
    root = StorageRoot.create(tmp_path / "v")
    add(root, a=b"1")
    (root.path / object_path(ID) / "v1/content/a").write_bytes(b"2")
    with pytest.raises(FormatError, match="differs from its digest"):
        root.read(ID, "a")
    (root.path / object_path(ID) / "v1/content/a").unlink()
    with pytest.raises(MachineError, match="No such file"):
        root.read(ID, "a")


def test_an_inventory_of_another_object_is_refused(tmp_path: Path) -> None:
    root = StorageRoot.create(tmp_path / "v")
    add(root, a=b"1")
    target = root.path / object_path("other")
    target.parent.mkdir(parents=True)
    (root.path / object_path(ID)).rename(target)
    with pytest.raises(FormatError, match="belongs to"):
        root.inventory("other")


class Crash(Exception):
    """The power goes."""


def _crashing(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Let the at-th durable step do nothing and end the process, as it were."""
    left = [at]
    for name in ("write_file", "rename_dir", "make_dirs", "remove_tree"):
        real = getattr(durable, name)

        def step(*args: object, real: Callable[..., object] = real, **kw: object) -> object:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return real(*args, **kw)

        monkeypatch.setattr(durable, name, step)


@pytest.mark.parametrize("versions", [1, 2])
def test_a_crash_at_any_step_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: int
) -> None:
    def work(root: StorageRoot) -> None:
        if versions == 1:
            if not root.has(ID):
                add(root, a=b"1", b=b"2")
        else:
            change(root, a=b"3", c=b"4")

    clean = StorageRoot.create(tmp_path / "clean")
    if versions == 2:
        add(clean, a=b"1", b=b"2")
    work(clean)
    expected = tree(clean.path)
    for step in range(60):
        root = StorageRoot.create(tmp_path / f"s{step}")
        if versions == 2:
            add(root, a=b"1", b=b"2")
        with monkeypatch.context() as patch:
            _crashing(patch, step)
            try:
                work(root)
            except Crash:
                crashed = True
            else:
                crashed = False
        if root.has(ID):  # whatever stands is whole, for a reader, at once
            names = set(root.files(ID))
            assert names in ({"a", "b"}, {"a", "c"})
            assert all(root.read(ID, name) for name in names)
        work(root)
        if root.path.joinpath("extensions/memcon-staging").exists():
            durable.remove_tree(root.path / "extensions/memcon-staging")
        assert tree(root.path) == expected
        if not crashed:
            assert step > 5
            return
    pytest.fail("the work never ended")


def test_repair_says_whether_it_had_to(tmp_path: Path) -> None:
    root = StorageRoot.create(tmp_path / "v")
    add(root, a=b"1")
    assert root.repair(ID) is False
    (root.path / object_path(ID) / "inventory.json.sha512").write_bytes(b"0 inventory.json\n")
    assert root.repair(ID) is True
    assert root.check(ID) == []


def test_a_source_that_changes_while_it_is_copied_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = StorageRoot.create(tmp_path / "v")
    real = durable.write_file

    def lying(path: Path, data: bytes, mode: int = 0o600, *, durable: bool = True) -> None:
        real(path, b"other" if "content" in path.parts else data, mode, durable=durable)

    monkeypatch.setattr(durable, "write_file", lying)
    with pytest.raises(MachineError, match="differs from its source"):
        add(root, a=b"1")


def test_inventory_of_another_object_is_never_continued() -> None:
    version = inv.Version(WHEN, "m", USER, {})
    before, _ = inv.next_version(None, "a", version)
    with pytest.raises(LocalError):
        inv.next_version(before, "b", version)


GOOD = {
    "id": "x",
    "type": inv.TYPE,
    "digestAlgorithm": "sha512",
    "head": "v1",
    "manifest": {"a" * 128: ["v1/content/a"]},
    "versions": {"v1": {"created": WHEN, "state": {"a" * 128: ["a"]}}},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 1},
        {"type": "x"},
        {"digestAlgorithm": "sha256"},
        {"contentDirectory": "data"},
        {"head": "v2"},
        {"versions": {}},
        {"versions": {"v1": 1}},
        {"versions": {"v2": {}}, "head": "v2"},
        {"versions": {"v1": {"created": 1, "state": {}}}},
        {"versions": {"v1": {"created": WHEN, "state": 1}}},
        {"versions": {"v1": {"created": WHEN, "state": {}, "user": 1}}},
        {"manifest": {"zz": ["a"]}},
        {"manifest": {"a" * 128: "a"}},
        {"manifest": {"a" * 128: ["/a"]}},
        {"manifest": {"a" * 128: ["a/../b"]}},
        {"manifest": {"a" * 128: ["a"], "b" * 128: ["a"]}},
    ],
)
def test_inventories_that_are_none(changes: dict[str, object]) -> None:
    inv.decode(json.dumps(GOOD).encode())
    with pytest.raises(FormatError):
        inv.decode(json.dumps(GOOD | changes).encode())


def test_a_state_without_a_manifest_entry_is_refused() -> None:
    read = inv.decode(json.dumps(GOOD | {"manifest": {}}).encode())
    with pytest.raises(FormatError, match="manifest lacks"):
        read.content("a")


@given(st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(GOOD)), inner),
).map(lambda v: json.dumps(v).encode())))  # fmt: skip
def test_hostile_inventories_raise_format_errors_alone(data: bytes) -> None:
    try:
        inv.decode(data)
    except FormatError:
        return
    pytest.fail("nothing drawn here is an inventory")


@pytest.mark.foreign
def test_ocfl_py_finds_root_and_objects_valid(tmp_path: Path) -> None:
    ocfl = pytest.importorskip("ocfl")
    root = StorageRoot.create(tmp_path / "v")
    for n in range(3):
        add(root, f"{ID}{n}", a=b"%d" % n, media__mcs=b"2")
    change(root, f"{ID}0", a=b"3", leaves__mcl=b"4")
    theirs = ocfl.StorageRoot(root=str(root.path))
    assert theirs.validate(log_warnings=True, validate_objects=True, check_digests=True)
    for n in range(3):
        checker = ocfl.Object(path=str(root.path / object_path(f"{ID}{n}")))
        passed, validator = checker.validate(
            objdir=str(root.path / object_path(f"{ID}{n}")), log_warnings=True
        )
        assert passed, validator
        assert "WARN" not in str(validator)
        assert "[W" not in str(validator)
