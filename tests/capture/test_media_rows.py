"""Reading back what the kernel wrote: control data in any layout, growing outputs."""

from __future__ import annotations

import socket
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.capture import media_rows
from memcon.capture.media_rows import SCM_TIMESTAMPNS, Output, Rows, find_stamp, load_recvmmsg
from memcon.errors import MachineError

STAMP = struct.pack("=QiiQQ", 32, socket.SOL_SOCKET, SCM_TIMESTAMPNS, 1_800_000_000, 5)
OVERFLOW = struct.pack("=QiiI4x", 20, socket.SOL_SOCKET, 40, 7)


@pytest.mark.parametrize(
    ("control", "stamp"),
    [
        (STAMP, 1_800_000_000_000_000_005),
        (OVERFLOW + STAMP, 1_800_000_000_000_000_005),
        (STAMP + OVERFLOW, 1_800_000_000_000_000_005),
        (OVERFLOW, None),
        (b"", None),
        (STAMP[:31], None),
        (struct.pack("=Qii", 0, 1, 35), None),
        (struct.pack("=QiiQ", 24, 1, 35, 1), None),
        (struct.pack("=Qii", 2**63, 1, 35), None),
    ],
)
def test_find_stamp(control: bytes, stamp: int | None) -> None:
    assert find_stamp(control) == stamp


@given(st.binary(max_size=64))
def test_no_control_data_breaks_it(control: bytes) -> None:
    stamp = find_stamp(control)
    assert stamp is None or isinstance(stamp, int)


def test_a_timestamp_behind_another_control_message_and_one_missing() -> None:
    """SO_RXQ_OVFL and no timestamp, as a socket of other settings would deliver them."""
    rows = Rows(4, 64)
    out = Output(1, 1)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sock.bind(("127.0.0.1", 0))
        sender.sendto(b"bare", sock.getsockname())
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 9)
        assert load_recvmmsg()(sock.fileno(), rows.pointers[0], 4, int(socket.MSG_DONTWAIT), None) == 1
    streams = np.array([11], np.uint32)
    known = np.zeros((1, 4), np.uint64)
    rows.unload(out, [0], [1], streams, known, 77)
    assert (out.arrival[0], out.stream[0], rows.unstamped) == (77, 11, 1)
    rows._control[:1] = np.frombuffer((OVERFLOW + STAMP).ljust(64, b"\0"), media_rows.CONTROL)
    rows._lengths[:1] = 0
    rows.unload(out, [0], [1], streams, known, 77)
    assert (out.arrival[1], rows.unstamped) == (1_800_000_000_000_000_005, 1)


def test_growing_keeps_what_is_there() -> None:
    out = Output(2, 4)
    for number in range(40):
        out.reserve(1, 3)
        out.stream[out.count] = number
        out.slot[out.count] = -number
        out.arrival[out.count] = number * 10
        out.length[out.count] = 3
        out.data[out.octets : out.octets + 3] = number
        out.count += 1
        out.octets += 3
    assert out.stream[:40].tolist() == list(range(40))
    assert out.slot[:40].tolist() == [-number for number in range(40)]
    assert out.arrival[:40].tolist() == [10 * number for number in range(40)]
    assert out.length[:40].tolist() == [3] * 40
    assert out.data[:120].tolist() == [number for number in range(40) for _ in range(3)]


def test_another_system_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(MachineError, match="needs 64-bit Linux, this is darwin"):
        load_recvmmsg()
