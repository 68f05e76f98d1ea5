"""The container: a manifest or a zip that says other things than what is there."""

from __future__ import annotations

import pytest
from tests.verify import builder as b

from memcon.record.bundle import MANIFEST, OPTIONAL, ORDER, make_manifest, write_bundle, write_zip
from memcon.verify import trust, verify_bundle


def test_the_manifest_and_the_entries_disagree() -> None:
    world, call = b.simple()
    files = b.bundle(world, call).files()
    manifest = make_manifest(world.origin, 1, files)
    trusted = trust(world.vkeys())

    def found(changed: dict[str, bytes], said: bytes = manifest) -> set[str]:
        return set(verify_bundle(write_zip({MANIFEST: said, **changed}), trusted).counts)

    assert found(files | {"README.txt": b"other"}) == {"manifest-file"}
    less = {name: data for name, data in files.items() if name != "config.mcb"}
    assert found(less) == {"container-entry", "manifest-file"}
    extra = files | {f"statement/{'0' * 64}": b"{}"}
    assert found(extra) == {"container-entry", "manifest-file"}
    assert found(files, b"{}") == {"manifest-form"}
    elsewhere = make_manifest("elsewhere", 2, files)
    assert found(files, elsewhere) == {"manifest-facts"}
    assert set(verify_bundle(write_zip(files), trusted).counts) == {"container-entry"}


@pytest.mark.parametrize("name", [name for name in ORDER if name not in (MANIFEST, "README.txt")])
@pytest.mark.parametrize("content", [None, b"", b"no such thing", b"\0" * 64])
def test_an_entry_that_is_missing_or_nonsense_never_ends_the_check(name: str, content: bytes | None) -> None:
    world, call = b.simple()
    files = b.bundle(world, call).files()
    files.pop(name, None)
    if content is not None:
        files[name] = content
    report = verify_bundle(write_bundle(world.origin, 1, files), trust(world.vkeys()))
    may_be_missing = content is None and name in OPTIONAL
    assert report.exit_code == (0 if may_be_missing else 1)
    assert bool(report.to_json()["findings"]) != may_be_missing


def zip_by_hand(entries: list[tuple[str, bytes]]) -> bytes:
    """A zip of any entries, as Python's own library writes it."""
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def test_other_zips_are_read_and_found_to_be_of_another_form() -> None:
    world, call = b.simple()
    files = b.bundle(world, call).files()
    entries = [(MANIFEST, make_manifest(world.origin, 1, files)), *files.items()]
    trusted = trust(world.vkeys())
    assert set(verify_bundle(zip_by_hand(entries), trusted).counts) == {"container-form"}
    strange = zip_by_hand([*entries, ("../../etc/passwd", b"x")])
    assert {"container-entry"} <= set(verify_bundle(strange, trusted).counts)
    entries[2], entries[3] = entries[3], entries[2]
    assert set(verify_bundle(zip_by_hand(entries), trusted).counts) == {"container-form"}


def test_an_entry_that_stands_twice() -> None:
    import warnings

    world, call = b.simple()
    files = b.bundle(world, call).files()
    entries = [(MANIFEST, make_manifest(world.origin, 1, files)), *files.items()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twice = zip_by_hand([*entries, ("policy", b"x")])
    assert "container-entry" in set(verify_bundle(twice, trust(world.vkeys())).counts)


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"PK\x03\x04" + bytes(40), bytes(100), b"PK\x05\x06" + bytes(18)]
)
def test_what_is_no_bundle(data: bytes) -> None:
    report = verify_bundle(data)
    assert set(report.counts) == {"container-form"}
    assert report.headline == "This cannot be read as a bundle."


def test_a_bundle_cut_short_is_read_as_far_as_it_goes() -> None:
    world, call = b.simple()
    data = b.bundle(world, call).pack()
    for cut in range(1, len(data), len(data) // 40):
        assert verify_bundle(data[:cut], trust(world.vkeys())).exit_code == 1
