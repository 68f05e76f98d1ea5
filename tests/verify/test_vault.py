"""Objects of the vault: OCFL first, then the call in them, without any key of the operator's."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify import builder as b

from memcon.errors import MachineError, UsageError
from memcon.record import call as calls
from memcon.record.hashing import sha256
from memcon.record.slottree import SLOTS_MAGIC
from memcon.verify import ocfl, trust, verify_object
from memcon.verify.vault import FILES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def codes(folder: Path, world: b.World | None = None) -> set[str]:
    return set(verify_object(folder, trust(world.vkeys() if world else ())).counts)


def sealed(folder: Path, **changes: bytes | None) -> tuple[b.World, Path]:
    """An object of a call in which logical files are changed or left out before the inventory is made."""
    world, call = b.simple()
    files: dict[str, bytes] = b.vault_files(world, call)
    for name, data in changes.items():
        name = name.replace("_", ".")
        if data is None:
            del files[name]
        else:
            files[name] = data
    return world, b.write_files(folder, b.ocfl_object(files))


def with_inventory(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """An object whose inventory is changed, sidecars and version with it."""
    _, _ = sealed(folder)
    value = json.loads((folder / "inventory.json").read_bytes())
    change(value)
    raw = json.dumps(value).encode()
    for name in ("", "v1/"):
        (folder / f"{name}inventory.json").write_bytes(raw)
        side = f"{hashlib.sha512(raw).hexdigest()} inventory.json\n"
        (folder / f"{name}inventory.json.sha512").write_text(side)
    return folder


def test_an_honest_object(tmp_path: Path) -> None:
    world, folder = sealed(tmp_path)
    report = verify_object(folder, trust(world.vkeys()))
    assert not report.counts
    assert report.exit_code == 0
    assert {"5 of 5 seconds match their seals", "2 of 2 events match their seals"} <= set(report.checked)
    assert "8 of 8 files match their SHA-512 in the inventory" in report.checked
    assert "a custodian's key" in " ".join(report.not_checked)
    assert verify_object(folder).exit_code == 3


@pytest.mark.parametrize("name", [name.replace(".", "_") for name in FILES if name != "leaves.mcl"])
def test_a_call_lacks_a_file(tmp_path: Path, name: str) -> None:
    world, folder = sealed(tmp_path, **{name: None})
    assert "object-file" in codes(folder, world)


def test_files_that_are_not_what_the_call_names(tmp_path: Path) -> None:
    for n, (name, code) in enumerate(
        {
            "wraps_json": "object-wraps",
            "custodians_json": "object-wraps",
            "record_mcr": "sealed-form",
            "media_mcs": "sealed-form",
            "events_mce": "sealed-form",
            "beats_mcb": "beats-form",
            "leaves_mcl": "call-form",
            "checkpoint": "checkpoint-form",
        }.items()
    ):
        world, folder = sealed(tmp_path / str(n), **{name: b"short"})
        assert code in codes(folder, world), name
        world, folder = sealed(tmp_path / f"{n} empty", **{name: b""})
        assert code in codes(folder, world), f"{name} empty"


def test_media_cut_short_and_of_another_call(tmp_path: Path) -> None:
    world, call = b.simple()
    whole = b.vault_files(world, call)["media.mcs"]
    cut = verify_object(sealed(tmp_path / "a", media_mcs=whole[:-5])[1], trust(world.vkeys()))
    assert {"sealed-form", "media-missing", "media-call-root", "media-segment"} >= set(cut.counts)
    assert next(f for f in cut.findings if f.code == "sealed-form").second == 4
    other = whole[:8] + (7).to_bytes(8, "big") + whole[16:]
    assert "sealed-form" in codes(sealed(tmp_path / "b", media_mcs=other)[1], world)
    more = whole + (5).to_bytes(4, "big") + (16).to_bytes(4, "big") + bytes(32 + 16)
    assert {"media-extra", "media-call-root"} == codes(sealed(tmp_path / "c", media_mcs=more)[1], world)


def test_a_call_whose_first_leaf_is_missing(tmp_path: Path) -> None:
    world, call = b.simple()
    files = b.vault_files(world, call)
    rest = b.placed(world, call)[1:]
    files["leaves.mcl"] = calls.encode_leaves_head(1) + b"".join(leaf.encode() for leaf in rest)
    found = codes(b.write_files(tmp_path, b.ocfl_object(files)), world)
    assert {"call-first", "call-beats", "media-extra"} <= found


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(type="other"),
        lambda v: v.update(digestAlgorithm="md5"),
        lambda v: v.update(head="v2"),
        lambda v: v.update(versions=[]),
        lambda v: v.update(id=5),
        lambda v: v["versions"].update(v3=v["versions"]["v1"]),
        lambda v: v["versions"].update(v1=5),
        lambda v: v["versions"]["v1"].update(state=[]),
        lambda v: v["versions"]["v1"]["state"].update({"0" * 128: ["x"]}),
        lambda v: v["versions"]["v1"]["state"].update({"zz": ["x"]}),
        lambda v: v["manifest"].update({"0" * 128: []}),
        lambda v: v["manifest"].update({"0" * 128: ["v1/content/../../x"]}),
        lambda v: v["manifest"].update({"0" * 128: [5]}),
        lambda v: v["manifest"].update({"0" * 128: ["elsewhere/x"]}),
        lambda v: v["manifest"].update({"0" * 128: ["v9/content/x"]}),
        lambda v: v["manifest"].update({"0" * 128: ["v1/content/x", "v1/content/x"]}),
        lambda v: v.pop("manifest"),
    ],
)
def test_an_inventory_that_cannot_be(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    folder = with_inventory(tmp_path, change)
    report = verify_object(folder)
    assert set(report.counts) == {"ocfl-form"}
    assert report.headline.startswith("There is no inventory")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_an_inventory_that_is_none(tmp_path: Path, data: bytes) -> None:
    _, folder = sealed(tmp_path)
    (folder / "inventory.json").write_bytes(data)
    assert {"ocfl-form", "ocfl-digest"} == codes(folder)


def test_files_of_the_object_missing_strange_or_linked(tmp_path: Path) -> None:
    world, folder = sealed(tmp_path / "a")
    (folder / "notes.txt").write_text("x")
    (folder / "logs").mkdir()
    (folder / "logs" / "fixity.txt").write_text("x")
    assert codes(folder, world) == {"ocfl-stray"}
    (folder / "notes.txt").unlink()
    (folder / "0=ocfl_object_1.1").unlink()
    assert codes(folder, world) == {"ocfl-form"}
    (folder / "0=ocfl_object_1.1").write_text("ocfl_object_1.1\n")
    for name in ("inventory.json", "inventory.json.sha512"):
        (folder / "v1" / name).unlink()
    assert codes(folder, world) == {"ocfl-missing"}
    world, folder = sealed(tmp_path / "b")
    (folder / "inventory.json.sha512").unlink()
    assert codes(folder, world) == {"ocfl-missing"}
    (folder / "inventory.json").unlink()
    report = verify_object(folder)
    assert set(report.counts) == {"ocfl-missing"}
    world, folder = sealed(tmp_path / "c")
    media = folder / "v1" / "content" / "media.mcs"
    (tmp_path / "outside").write_bytes(media.read_bytes())
    media.unlink()
    media.symlink_to(tmp_path / "outside")
    assert "ocfl-missing" in codes(folder, world)
    world, folder = sealed(tmp_path / "d")
    (folder / "v1" / "content" / "media.mcs").unlink()
    assert {"ocfl-missing", "object-file"} <= codes(folder, world)


def test_versions_must_agree(tmp_path: Path) -> None:
    world, call = b.simple()
    files = b.ocfl_object(b.vault_files(world, call))
    value = json.loads(files["inventory.json"])
    value["head"] = "v2"
    value["versions"]["v2"] = value["versions"]["v1"]
    raw = json.dumps(value).encode()
    side = f"{hashlib.sha512(raw).hexdigest()} inventory.json\n".encode()
    for name in ("", "v2/"):
        files |= {f"{name}inventory.json": raw, f"{name}inventory.json.sha512": side}
    assert codes(b.write_files(tmp_path / "good", files), world) == set()
    value["id"] = "another"
    raw = json.dumps(value).encode()
    side = f"{hashlib.sha512(raw).hexdigest()} inventory.json\n".encode()
    changed = files | {"inventory.json": raw, "inventory.json.sha512": side}
    report = verify_object(b.write_files(tmp_path / "bad", changed), trust(world.vkeys()))
    assert {f.where for f in report.findings} == {"v1/inventory.json", "v2/inventory.json", "inventory.json"}
    assert set(report.counts) == {"ocfl-form", "object-id"}


def test_an_object_of_slot_records(tmp_path: Path) -> None:
    world, _ = b.simple()
    data = SLOTS_MAGIC + b"".join(world.records)
    files = {"00.mcl": data, "notes": b"x"}
    report = verify_object(b.write_files(tmp_path / "good", b.ocfl_object(files)))
    assert not report.counts
    assert report.checked[-1] == "5 slot records were read"
    assert "as its inventory says" in report.headline
    files["00.mcl"] = data[:-1]
    report = verify_object(b.write_files(tmp_path / "bad", b.ocfl_object(files)))
    assert set(report.counts) == {"slots-form"}
    assert "1 finding" in report.headline


def test_what_is_no_directory_and_what_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError):
        verify_object(tmp_path / "nothing")
    _, folder = sealed(tmp_path)
    monkeypatch.setattr(ocfl, "_MAX_INVENTORY", 100)
    with pytest.raises(MachineError):
        verify_object(folder)


def test_the_digests_of_the_call_are_those_of_the_leaf() -> None:
    """The builder is the peer here: what it keeps in the vault is what its first leaf names."""
    world, call = b.simple()
    files = b.vault_files(world, call)
    first = calls.decode(call.leaves[0]).first
    assert first is not None
    assert (first.wraps, first.custodians) == (sha256(files["wraps.json"]), sha256(files["custodians.json"]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"head": "v1"', b'"head": "v1", "head": "v1"'),
        (b'"head": "v1"', b'"head": "v1", "more": NaN'),
        (b'"head": "v1"', b'"head": "v1", "more": -Infinity'),
    ],
)
def test_an_inventory_that_two_readers_would_read_differently(tmp_path: Path, old: bytes, new: bytes) -> None:
    _, folder = sealed(tmp_path)
    raw = (folder / "inventory.json").read_bytes().replace(old, new)
    side = f"{hashlib.sha512(raw).hexdigest()} inventory.json\n"
    for name in ("", "v1/"):
        (folder / f"{name}inventory.json").write_bytes(raw)
        (folder / f"{name}inventory.json.sha512").write_text(side)
    assert codes(folder) == {"ocfl-form"}


def test_a_folder_of_the_object_that_is_a_link(tmp_path: Path) -> None:
    world, folder = sealed(tmp_path / "object")
    (folder / "v1" / "content").rename(tmp_path / "outside")
    (folder / "v1" / "content").symlink_to(tmp_path / "outside", target_is_directory=True)
    assert {"ocfl-missing", "ocfl-stray"} <= codes(folder, world)


@pytest.mark.parametrize(
    "identity",
    ["urn:uuid:1", b.IDENTITY[:-1] + "2", b.IDENTITY.replace("urn:memcon:", "urn:memcon:0")[:26] + "x"],
)
def test_an_object_under_another_calls_id(tmp_path: Path, identity: str) -> None:
    world, call = b.simple()
    folder = b.write_files(tmp_path, b.ocfl_object(b.vault_files(world, call), identity))
    assert codes(folder, world) == {"object-id"}


def test_an_object_under_an_id_of_another_log(tmp_path: Path) -> None:
    world, call = b.simple()
    other = "urn:memcon:" + "0" * 16 + ":call:1"
    folder = b.write_files(tmp_path, b.ocfl_object(b.vault_files(world, call), other))
    assert codes(folder, world) == {"object-id"}
