"""Makes negative.json: named damages to the vectors beside it, with the place a reader must name.

generate.py runs this last. Each vector is {name, reader, bytes, what, where}: what is read and where
the error is found stand in memcon's FormatError (a byte, a field's name, or null for the whole).
Nothing of memcon is used here.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, TypeAlias

HERE = Path(__file__).parent
Place: TypeAlias = int | str | None


class Vectors:
    """Collects the vectors of one reader at a time."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self.reader = self.what = self.prefix = ""

    def of(self, reader: str, what: str, prefix: str | None = None) -> None:
        self.reader, self.what, self.prefix = reader, what, prefix or reader

    def add(self, name: str, data: bytes, where: Place, what: str | None = None) -> None:
        full = f"{self.prefix}-{name}"
        row = {"name": full, "reader": self.reader, "bytes": data.hex(), "what": what or self.what}
        self.made.append(row | {"where": where})


def load(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="ascii"))
    return value


def put(data: bytes, at: int, new: str) -> bytes:
    """`data` with the bytes from `at` on replaced by those of a hex string."""
    raw = bytes.fromhex(new)
    return data[:at] + raw + data[at + len(raw) :]


def leaves(v: Vectors) -> None:
    beats = {name: bytes.fromhex(leaf) for name, leaf in load("beat")["leaves"].items()}
    beat, genesis = beats["beat"], beats["genesis"]
    v.of("beat", "beat")
    v.add("preceding-garbage", b"\0" + beat, None)
    v.add("truncated", beat[:-1], None)
    v.add("empty", b"", None)
    for name, at, new, where in (
        ("other-magic", 7, "02", 0), ("kind-3", 8, "03", 8), ("state-0", 9, "00", 9), ("state-5", 9, "05", 9),
        ("unknown-flag", 10, "0008", 10), ("period-0", 12, "00000000", 12), ("index-0", 16, "00" * 8, 16),
        ("reserved-not-zero", 224, "80", 224), ("reserved-last-byte", 255, "01", 224),
    ):  # fmt: skip
        v.add(name, put(beat, at, new), where)
    v.add("genesis-index-1", put(genesis, 23, "01"), 16)
    v.add("genesis-recording", put(genesis, 9, "01"), 9)
    v.add("genesis-with-instance", put(genesis, 47, "01"), 32)
    v.add("genesis-without-statement", put(genesis, 192, "00" * 32), 192)

    slots = load("slot")
    slot, note = bytes.fromhex(slots["slot_leaf"]), bytes.fromhex(slots["note_leaf"])
    v.of("slot-leaf", "slot leaf")
    v.add("other-magic", put(slot, 0, "6e"), 0)
    v.add("reserved-not-zero", put(slot, 63, "01"), 48)
    v.add("truncated", slot[:-1], 48)
    v.add("trailing-garbage", slot + b"\0", 64)
    v.of("note-leaf", "NOTE leaf")
    for name, at, new, where in (
        ("type-0", 8, "0000", 8), ("type-of-no-note", 8, "ffff", 8), ("reserved-not-zero", 11, "01", 10),
        ("lane-0", 12, "00000000", 12), ("lane-past-tree", 12, "00010000", 12),
        ("tail-not-zero", 79, "01", 72),
    ):  # fmt: skip
        v.add(name, put(note, at, new), where)
    v.add("trailing-garbage", note + b"\0", 80)


def call_leaves(v: Vectors) -> None:
    calls = {name: bytes.fromhex(leaf) for name, leaf in load("call")["leaves"].items()}
    first, middle, last, both = calls["first"], calls["middle"], calls["last"], calls["first+last"]
    v.of("call-leaf", "call leaf", "callleaf")
    for name, at, new, where in (
        ("other-magic", 7, "02", 0), ("form-4", 8, "04", 8), ("unknown-flag", 9, "08", 9),
        ("lane-0", 12, "00000000", 12), ("lane-past-tree", 12, "00010000", 12),
        ("middle-without-chain", 40, "00" * 32, 40), ("129-segments", 76, "00000081", 76),
        ("reserved-156", 159, "01", 156), ("reserved-192", 199, "01", 192),
        ("stream-kind-0", 202, "00", 202), ("stream-kind-4", 202, "04", 202),
        ("stream-reserved", 207, "01", 203),
        ("bitmap-past-end", 249, "20", 248), ("bitmap-past-end-second-stream", 327, "01", 312),
    ):  # fmt: skip
        v.add(name, put(middle, at, new), where)
    v.add("first-with-chain", put(first, 40, "01"), 40)
    v.add("cause-0", put(last, 208, "00"), 208)
    v.add("cause-9", put(both, 480, "09"), 480)
    v.add("who-4", put(last, 209, "04"), 208)
    v.add("last-reserved", put(last, 215, "01"), 210)
    v.add("last-part-missing", put(middle, 8, "02"), 210)
    v.add("stream-missing", middle[:-64], 264)
    v.add("hostile-stream-count", put(middle, 10, "ffff"), 328)
    v.add("trailing-garbage", middle + b"\0", 328)
    v.of("leaves.mcl", "leaves.mcl")
    file = bytes.fromhex(load("call")["leaves_file"])
    v.add("other-magic", put(file, 7, "02"), 0)
    v.add("hostile-leaf-length", put(file, 16, "ffffffff"), 20)
    v.add("truncated-path", file[:-1], len(file) - 512)


def media(v: Vectors) -> None:
    made = load("segment")
    blocks = [bytes.fromhex(row["block"]) for row in made["blocks"]]
    block, rtcp = blocks[0], blocks[2]
    v.of("block", "block")
    for name, at, new, where in (
        ("other-magic", 0, "4d", 0), ("position-5", 14, "05", 14), ("kind-0", 15, "00", 14),
        ("kind-4", 15, "04", 14), ("no-packets", 16, "00000000", 16),
        ("hostile-count", 16, "ffffffff", 32), ("reserved-not-zero", 31, "01", 28),
        ("length-past-end", 48, "ffff", 52), ("length-short", 49, "0f", 83),
    ):  # fmt: skip
        v.add(name, put(block, at, new), where)
    v.add("rtcp-with-timestamp", put(rtcp, 27, "01"), 20)
    v.add("trailing-garbage", block + b"\0", len(block))
    v.add("head-alone", block[:32], 32)
    content = bytes.fromhex(made["full"]["content"])
    second = 4 + 8 + len(blocks[0])
    first_two = content[4:second], content[second : second + 8 + len(blocks[1])]
    v.of("content", "segment content")
    v.add("out-of-order", b"\0\0\0\2" + first_two[1] + first_two[0], None, "segment")
    v.add("block-twice", b"\0\0\0\2" + first_two[0] * 2, None, "segment")
    v.add("position-5", put(content, 6, "05"), 6)
    v.add("hostile-count", put(content, 0, "ffffffff"), len(content))
    v.add("trailing-garbage", content + b"\0", len(content))
    v.of("media.mcs", "media.mcs")
    file = bytes.fromhex(made["media_file"])
    v.add("is-events-file", bytes.fromhex(load("event")["events_file"]), 0)
    v.add("gap", put(file, 19, "01"), 16)
    v.add("number-twice", put(file, 79, "00"), 76)
    v.add("ciphertext-without-tag", put(file, 20, "0000000f"), 16)
    v.add("truncated", file[:-1], 116)


def events(v: Vectors) -> None:
    made = load("event")
    event = bytes.fromhex(made["events"][1]["event"])
    v.of("event", "event")
    v.add("other-magic", put(event, 7, "02"), 0)
    v.add("json-past-end", put(event, 12, "ffffffff"), 32)
    v.add("json-cut", put(event, 15, "03"), 1, "event JSON")
    for name, text in (("no-type", "7b7d"), ("type-no-text", b'{"type":1}'.hex()), ("array", "5b5d")):
        raw = bytes.fromhex(text)
        v.add(name, event[:12] + len(raw).to_bytes(4, "big") + event[16:32] + raw, 32)
    v.of("events.mce", "events.mce")
    file = bytes.fromhex(made["events_file"])
    v.add("gap", put(file, 19, "02"), 16)
    v.add("truncated-head", file[:20], 20)
    v.of("record.mcr", "record.mcr")
    record = bytes.fromhex(made["record_file"])
    v.add("other-magic", put(record, 7, "02"), 0)
    v.add("ciphertext-without-tag", record[:55], 40)


def journal(v: Vectors) -> None:
    made = load("journal")
    header, head, records = (bytes.fromhex(made[k]) for k in ("header", "frame_head", "plaintext"))
    v.of("journal-header", "journal header")
    v.add("other-magic", put(header, 7, "02"), 0)
    v.add("reserved-not-zero", put(header, 63, "01"), 60)
    v.add("truncated", header[:-1], 60)
    v.add("trailing-garbage", header + b"\0", 64)
    v.of("frame-head", "journal frame")
    v.add("other-magic", put(head, 3, "53"), 0)
    v.add("shorter-than-tag", put(head, 4, "0000000f"), 4)
    v.add("longer-than-64-mib", put(head, 4, "04000001"), 4)
    v.add("trailing-garbage", head + b"\0", 16)
    v.of("records", "journal record", "journal")
    media_length = int.from_bytes(records[:4], "big")
    media = records[: 8 + media_length]
    control_at = len(media)
    control = records[control_at:][: 8 + int.from_bytes(records[control_at : control_at + 4], "big")]
    tick_at = control_at + len(control)
    tick = records[tick_at : tick_at + 32]
    count_at = 12 + int.from_bytes(control[8:12], "big")
    v.add("record-type-5", put(tick, 4, "05"), 4)
    v.add("record-reserved-not-zero", put(tick, 7, "01"), 5, "journal frame")
    v.add("record-past-end", put(tick, 0, "ffffffff"), 8, "journal frame")
    v.add("tick-too-long", put(tick, 3, "19") + b"\0", 24)
    v.add("media-hostile-count", put(media, 24, "ffffffff"), 24)
    v.add("media-reserved-not-zero", put(media, 31, "01"), 20)
    v.add("media-lengths-short", put(media, 69, "0c"), 79)
    v.add("media-lengths-long", put(media, 69, "0e"), 66)
    v.add("control-hostile-attachments", put(control, count_at, "ffffffff"), len(control) - 8)
    v.add("control-without-type", b"\0\0\0\x0a\2\0\0\0\0\0\0\2{}\0\0\0\0", "type", "journal control")
    v.add("stop-no-object", b"\0\0\0\2\4\0\0\0[]", None, "journal stop")
    v.of("slots", "slots file")
    file = bytes.fromhex(load("slot")["slots_file"])
    size = 4 + int.from_bytes(file[8:12], "big")
    v.add("other-magic", put(file, 7, "02"), 0)
    v.add("flipped-bit", put(file, 12, "01"), 8)
    v.add("record-too-short", file[:8] + b"\0\0\0\x20" + file[12:44], 8)
    v.add("truncated", file[:-1], 8 + size + 4)


def canonical(v: Vectors) -> None:
    v.of("canonical", "canonical JSON", "canonical")
    for name, text, where in (
        ("float", "1.0", None), ("exponent", "1e3", None), ("nan", "NaN", None),
        ("infinity", "-Infinity", None),
        ("minus-zero", "-0", None), ("leading-zero", "01", 1), ("two-to-53", "9007199254740992", None),
        ("minus-two-to-53", "-9007199254740992", None), ("very-long-integer", "9" * 5000, None),
        ("duplicate-key", '{"a":1,"a":1}', None), ("unsorted-keys", '{"b":1,"a":1}', None),
        ("utf16-key-order", '{"\U00010000":2,"\uff5e":1}', None), ("space", '{"a": 1}', None),
        ("trailing-newline", "{}\n", None), ("trailing-garbage", "{}x", 2), ("empty", "", 0),
        ("preceding-garbage", " {}", None), ("byte-order-mark", "\ufeff{}", 0),
        ("lone-surrogate", r'"\ud800"', None), ("escaped-ascii", r'"\u0041"', None),
        ("escaped-pair", r'"\ud83d\ude00"', None), ("upper-case-escape", r'"\u001F"', None),
        ("escaped-solidus", r'"\/"', None), ("raw-control", '"\x1f"', 1), ("after-umlaut", '"ü" x', 5),
        ("too-deep", "[" * 66 + "]" * 66, None),
        ("single-quotes", "{'a':1}", 1),
    ):  # fmt: skip
        v.add(name, text.encode(), where)
    v.add("not-utf-8", b'"\xff"', 1)
    v.add("utf-8-surrogate", b'"\xed\xa0\x80"', 1)
    v.add("overlong-utf-8", b'"\xc0\xaf"', 1)


def dump(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def statements(v: Vectors) -> None:
    made = {name: json.loads(bytes.fromhex(text)) for name, text in load("beat")["statements"].items()}
    genesis, off = made["genesis"], made["off"]
    v.of("statement", "genesis statement", "genesis")
    for name, change, where in (
        ("period-999", {"period_ms": 999}, "period_ms"), ("period-60001", {"period_ms": 60001}, "period_ms"),
        ("period-true", {"period_ms": True}, "period_ms"), ("b-7", {"b": 7}, "b"), ("b-0", {"b": 0}, "b"),
        ("g-4", {"g": 4}, "g"), ("g-0", {"g": 0}, "g"), ("predecessor-1", {"predecessor": 1}, "predecessor"),
        ("key-no-text", {"keys": [1]}, "keys"), ("keys-text", {"keys": "x"}, "keys"),
        ("extra", {"x": 1}, None),
    ):  # fmt: skip
        v.add(name, dump(genesis | change), where)
    v.add("key-missing", dump({k: x for k, x in genesis.items() if k != "keys"}), None)
    v.add("origin-empty", dump(genesis | {"origin": ""}), None, "genesis statement's origin")
    v.add("origin-256", dump(genesis | {"origin": "x" * 256}), None, "genesis statement's origin")
    v.of("statement", "off statement", "off")
    v.add("slot-negative", dump(off | {"slot": -1}), "slot")
    v.add("origin-256", dump(off | {"origin": "ü" * 128}), None, "off statement's origin")
    v.add("line-no-text", dump(off | {"lines": [None]}), "lines")
    said = made["explanation"]
    v.of("statement", "explanation", "explanation")
    v.add("last-before-first", dump(said | {"last": said["first"] - 1}), "first")
    v.add("slot-negative", dump(said | {"first": -1}), "first")
    v.of("statement", "on statement", "on")
    v.add("slot-negative", dump(off | {"kind": "on", "slot": -1}), "slot")
    v.of("statement", "statement")
    v.add("kind-unknown", dump(off | {"kind": "pause"}), "kind")
    v.add("array", b"[]", "kind")


def opened(v: Vectors) -> None:
    files = {name: bytes.fromhex(data) for name, data in load("bundle")["files"].items()}
    media, streams, openings = files["media.mcb"], files["streams.mcb"], files["openings.mcb"]
    v.of("media.mcb", "media.mcb")
    v.add("open-2", put(media, 64, "02"), 64)
    v.add("position-5", put(media, 62, "05"), 62)
    v.add("kind-4", put(media, 63, "04"), 62)
    v.add("block-twice", put(media, 97, "00000001"), None, "segment")
    v.add("hostile-count", put(media, 56, "ffffffff"), len(media))
    v.add("truncated", media[:-1], len(media) - 32)
    v.of("events.mcb", "events.mcb")
    v.add("open-2", put(files["events.mcb"], 56, "02"), 56)
    v.add("other-magic", put(files["events.mcb"], 6, "4d"), 0)
    v.of("streams.mcb", "streams.mcb")
    v.add("gap", put(streams, 19, "01"), 16)
    v.of("openings.mcb", "openings.mcb")
    v.add("which-0", put(openings, 16, "00"), 16)
    v.add("which-6", put(openings, 50, "06"), 50)
    v.add("twice", put(openings, 16, "05"), 50)
    v.of("config.mcb", "config.mcb")
    config = files["config.mcb"]
    v.add("out-of-order", put(config, 9, "7a"), 52)
    v.add("empty-name", config[:8] + b"\0" + config[13:], 8)
    v.add("name-past-end", config[:8] + b"\xff" + config[9:], 9)
    v.of("beats.mcb", "beats.mcb")
    v.add("hostile-proof-length", put(files["beats.mcb"], 280, "ff"), len(files["beats.mcb"]) - 9)
    v.add("truncated", files["beats.mcb"][:-1], len(files["beats.mcb"]) - 1)


def manifests(v: Vectors) -> None:
    made = json.loads(bytes.fromhex(load("bundle")["manifest"]))
    v.of("manifest", "manifest.json")
    entry = made["files"]["policy"]
    for name, change, where in (
        ("version-2", {"bundle": "memcon/2"}, "bundle"), ("call-0", {"call": 0}, "call"),
        ("files-array", {"files": []}, "files"), ("entry-no-object", {"files": {"a": 1}}, "'a'"),
        ("entry-extra", {"files": {"a": entry | {"x": 1}}}, "'a'"),
        ("bytes-negative", {"files": {"a": entry | {"bytes": -1}}}, "'a'"),
        ("bytes-true", {"files": {"a": entry | {"bytes": True}}}, "'a'"),
        ("bytes-text", {"files": {"a": entry | {"bytes": "1"}}}, "'a'"),
        ("digest-upper-case", {"files": {"a": entry | {"sha256": "A" * 64}}}, "'a'"),
        ("digest-short", {"files": {"a": entry | {"sha256": "a" * 63}}}, "'a'"),
        ("digest-number", {"files": {"a": entry | {"sha256": 1}}}, "'a'"),
        ("name-with-escape", {"files": {"\x1b[2J": 1}}, "'\\x1b[2J'"),
    ):  # fmt: skip
        v.add(name, dump(made | change), where)


def dossier_bundles(v: Vectors) -> None:
    """The manifest and the NOTEs of a dossier's bundle."""
    whole = load("dossier_bundle")
    made = json.loads(bytes.fromhex(whole["manifest"]))
    v.of("dossier-manifest", "manifest.json")
    for name, change, where in (
        ("of-a-call", {"bundle": "memcon/1"}, "bundle"), ("files-array", {"files": []}, "files"),
        ("dossier-number", {"dossier": 1}, "dossier"),
        ("entry-no-object", {"files": {"a": 1}}, "'a'"),
    ):  # fmt: skip
        v.add(name, dump(made | change), where)
    v.add("no-id", dump(made | {"dossier": "2017-01-28"}), None, "dossier id")
    sealed = bytes.fromhex(whole["files"]["sealed.mcn"])
    v.of("sealed.mcn", "sealed.mcn")
    v.add("other-magic", put(sealed, 7, "02"), 0)
    v.add("empty", b"", 0)
    v.add("cut-in-leaf", sealed[:40], 8)
    v.add("cut-in-path", sealed[:-1], len(sealed) - 512)
    v.of("dossier-bundle", "bundle container")
    v.add("of-a-call", archive([("media.mcb", b"")]), None, "bundle")


def archive(files: list[tuple[str, bytes]], **attributes: Any) -> bytes:
    """A zip like a bundle's, with `attributes` set on each entry's ZipInfo."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, data in files:
            info = zipfile.ZipInfo(name, attributes.get("date_time", (1980, 1, 1, 0, 0, 0)))
            info.create_system = 0
            for key, value in attributes.items():
                setattr(info, key, value)
            made.writestr(info, data)
            info.external_attr = attributes.get("external_attr", 0)  # writestr puts a file mode there
    return out.getvalue()


def zips(v: Vectors) -> None:
    two = [("README.txt", b"read\n"), ("policy", b"log\n")]
    good = archive(two)
    second, directory = 30 + 10 + 5, 30 + 10 + 5 + 30 + 6 + 4
    v.of("bundle", "bundle container", "zip")
    v.add("preceding-garbage", b"\0" + good, 0)
    v.add("trailing-garbage", good + b"\0", directory)
    v.add("truncated", good[:-1], directory)
    v.add("extra-field", archive(two, extra=b"\x01\x00\x00\x00"), 0)
    v.add("deflated", archive(two, compress_type=zipfile.ZIP_DEFLATED), 0)
    v.add("other-date", archive(two, date_time=(1980, 1, 2, 0, 0, 0)), 0)
    v.add("utf-8-flag", put(good, 7, "08"), 0)
    v.add("data-descriptor-flag", put(good, 6, "08"), 0)
    v.add("entry-comment", archive(two, comment=b"x"), directory)
    v.add("external-attributes", archive(two, external_attr=0o600 << 16), directory)
    v.add("made-by-unix", archive(two, create_system=3), directory)
    v.add("wrong-crc", put(good, 40, "00"), 0)
    v.add("size-past-end", put(put(good, 18, "ffffffff"), 22, "ffffffff"), 40)
    v.add("name-not-ascii", put(good, 30, "ff"), 0)
    v.add("header-cut", good[:20], 0)
    v.add("out-of-order", archive([two[1], two[0]]), None)
    v.add("second-date", put(good, second + 12, "22"), second)
    v.add("unknown-entry", archive([*two, ("secret.txt", b"")]), None, "bundle")
    for name, entry in (
        ("statement-traversal", "statement/../../../etc/passwd"),
        ("statement-upper-case", "statement/" + "A" * 64),
        ("statement-line-feed", "statement/" + "a" * 64 + "\n"), ("statement-short", "statement/" + "a" * 63),
    ):  # fmt: skip
        v.add(name, archive([*two, (entry, b"")]), None, "bundle")
    head, tail = good[:second], good[second:]
    v.add("entry-twice", head + head + tail, None)


def build() -> str:
    """The text of negative.json, made of the vector files as they stand."""
    v = Vectors()
    for part in (
        leaves, call_leaves, media, events, journal, canonical, statements, opened, manifests, zips,
        dossier_bundles,
    ):  # fmt: skip
        part(v)
    return json.dumps(v.made, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    (HERE / "negative.json").write_text(build(), encoding="ascii")
