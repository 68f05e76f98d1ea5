from __future__ import annotations

import io
import zipfile
import zlib

import pytest

from memcon.errors import FormatError, LocalError
from memcon.record import bundle

FILES = {"README.txt": b"read", "policy": b"log", "statement/" + "0" * 64: b"{}"}


def test_any_zip_reader_opens_it() -> None:
    with zipfile.ZipFile(io.BytesIO(bundle.write_bundle("log", 1, FILES))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [bundle.MANIFEST, *FILES]
        assert {name: archive.read(name) for name in FILES} == FILES


def test_order_of_the_names_given_does_not_matter() -> None:
    backwards = dict(reversed(FILES.items()))
    assert bundle.write_zip(backwards) == bundle.write_zip(FILES)
    assert bundle.read_zip(bundle.write_zip({})) == {}


def test_the_manifest_is_made() -> None:
    with pytest.raises(LocalError, match="manifest is made"):
        bundle.write_bundle("log", 1, {bundle.MANIFEST: b"{}"})


@pytest.mark.parametrize("name", ["media.mcs", "../policy", "statement/../../x", "/policy", "statement/"])
def test_no_other_names(name: str) -> None:
    with pytest.raises(FormatError, match="does not belong"):
        bundle.write_zip({name: b""})


@pytest.mark.parametrize("limit", [20, 60, 150])
def test_more_than_a_zip_holds(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bundle.write_zip(FILES)
    monkeypatch.setattr(bundle, "LIMIT", limit)
    with pytest.raises(FormatError, match=r"more than 4 GiB\. Make several bundles"):
        bundle.write_zip(FILES)
    with pytest.raises(FormatError, match="more than 4 GiB"):
        bundle.read_zip(data)


def test_more_entries_than_a_zip_counts() -> None:
    parts = []
    for number in range(65_535):
        name = f"statement/{number:064x}".encode()
        fields = (b"PK\x03\x04", 20, 0, 0, 0, 33, zlib.crc32(b""), 0, 0, len(name), 0)
        parts.append(bundle._LOCAL.pack(*fields) + name)
    with pytest.raises(FormatError, match="65535 entries"):
        bundle.read_zip(b"".join(parts))
