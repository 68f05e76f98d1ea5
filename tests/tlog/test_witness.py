"""Requests and answers of C2SP tlog-witness."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.tlog.note import Note, NoteError, Signature
from memcon.tlog.witness import AddCheckpoint, RequestError, monitoring_path, read_answer, read_size

# The specification's own example of a request.
EXAMPLE = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
""".encode()  # noqa: E501  # as published
LINE = "— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==\n"  # noqa: E501  # as published
NOTE = Note(b"log.example\n0\nx\n", (Signature("log.example", b"abcd", b"signature"),))


def test_the_specifications_example() -> None:
    request = AddCheckpoint.parse(EXAMPLE)
    assert (request.old_size, len(request.proof), len(request.note.signatures)) == (20852014, 4, 2)
    assert request.to_bytes() == EXAMPLE
    assert read_answer((LINE * 3).encode())[0].name == "witness.example/w1"


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_a_request_is_read_as_written(size: int, proof: list[bytes]) -> None:
    request = AddCheckpoint(size, tuple(proof), NOTE)
    assert AddCheckpoint.parse(request.to_bytes()) == request


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 1\n",
        EXAMPLE.replace(b"old ", b"new "),
        EXAMPLE.replace(b"old ", b"old  "),
        EXAMPLE.replace(b"old 2", b"old 02"),
        EXAMPLE.replace(b"old 2", b"old -2"),
        EXAMPLE.replace(b"old 20852014", b"old 9223372036854775808"),
        EXAMPLE.replace(b"\n", b"\r\n"),
        EXAMPLE.replace(b"kaw=\n", b"kaw\n"),
        EXAMPLE.replace(b"kaw=\n", b"kax=\n"),
        EXAMPLE.replace(
            b"old 20852014\n", b"old 20852014\n" + b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n" * 60
        ),
        b"\xff" + EXAMPLE,
        EXAMPLE + b" " * (1 << 17),
    ],
)
def test_what_is_no_request(data: bytes) -> None:
    with pytest.raises(RequestError):
        AddCheckpoint.parse(data)


def test_a_request_without_a_note() -> None:
    with pytest.raises(NoteError):
        AddCheckpoint.parse(b"old 0\n\nlog.example\n0\n")


@given(st.binary(max_size=300), st.integers(0, len(EXAMPLE)), st.integers(0, 40))
def test_a_spliced_request_is_another_one_or_refused(data: bytes, at: int, cut: int) -> None:
    spliced = EXAMPLE[:at] + data + EXAMPLE[at + cut :]
    with contextlib.suppress(FormatError):
        assert AddCheckpoint.parse(spliced).to_bytes() == spliced


@pytest.mark.parametrize("data", [b"", b"\n", b"text\n", LINE.encode()[:-1], (LINE * 17).encode(), b"\xff\n"])
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_answer(data)


def test_sizes() -> None:
    assert read_size(b"20852014\n") == 20852014
    for wrong in (b"", b"\n", b"01\n", b"1\n\n", b"-1\n", b"\xff"):
        with pytest.raises(RequestError):
            read_size(wrong)


def test_the_monitoring_path() -> None:
    assert monitoring_path("log.example") == hashlib.sha256(b"log.example").hexdigest() + "/checkpoint"
