from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record import canonical


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (1.5, "type float"),
        (float("nan"), "type float"),
        (2**53, "2\\^53"),
        (-(2**53), "2\\^53"),
        (b"x", "type bytes"),
        ({1: 2}, "no string: 1"),
        ({"a": {2**70}}, "type set"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
    ],
)
def test_says_what_cannot_be_said(value: Any, problem: str) -> None:
    with pytest.raises(FormatError, match=f"the list: .*{problem}"):
        canonical.dumps([value], "the list")


def test_depth() -> None:
    deep = "[" * (canonical.MAX_DEPTH + 1) + "]" * (canonical.MAX_DEPTH + 1)
    assert canonical.dumps(canonical.loads(deep.encode())) == deep.encode()
    for text in (f"[{deep}]", '{"a":' * 100 + "1" + "}" * 100, "[" * 200_000 + "]" * 200_000):
        with pytest.raises(FormatError, match="nested deeper"):
            canonical.loads(text.encode())


@pytest.mark.parametrize("lead", ["", "[", "[1,", '{"a":', "[-", "[ ", "-"])
def test_no_integer_is_too_large_wherever_it_stands(lead: str) -> None:
    tail = {"[": "]", "{": "}"}.get(lead[:1], "")
    for digits in ("9007199254740992", "9" * 5000):
        with pytest.raises(FormatError, match=r"2\^53"):
            canonical.loads(f"{lead}{digits}{tail}".encode())
    exact = f"[{canonical.LIMIT - 1},{1 - canonical.LIMIT}]"
    assert canonical.loads(exact.encode()) == [canonical.LIMIT - 1, 1 - canonical.LIMIT]


def test_a_leaf_too_deep() -> None:
    for text in ("[" * 64 + "1" + "]" * 64, "[" * 64 + "[]" + "]" * 64):
        canonical.dumps(canonical.loads(text.encode()))
    with pytest.raises(FormatError, match="nested deeper"):
        canonical.loads(("[" * 65 + "1" + "]" * 65).encode())
    deep: list[object] = []
    for _ in range(canonical.MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(FormatError, match="nested deeper"):
        canonical.dumps(deep)


def test_errors_name_what_is_read() -> None:
    for data in (b"\xff", b"{", b"1.0", b"9" * 18, b"9007199254740992", b"[1, 2]", b'"\\ud800"'):
        with pytest.raises(FormatError, match=r"^the thing"):
            canonical.loads(data, "the thing")


def test_object_with_its_keys() -> None:
    keys = {"a": int, "b": str}
    assert canonical.load_object(b'{"a":1,"b":"x"}', "thing", keys) == {"a": 1, "b": "x"}
    for text, problem in (
        ("[]", "not an object"),
        ('{"a":1}', r"has keys \['a'\], expected"),
        ('{"a":1,"b":"x","c":1}', "has keys"),
        ('{"a":true,"b":"x"}', "at a: a is not of type int"),
        ('{"a":1,"b":null}', "at b: b is not of type str"),
    ):
        with pytest.raises(FormatError, match=problem):
            canonical.load_object(text.encode(), "thing", keys)


@given(st.dictionaries(st.text(max_size=3), st.integers(-5, 5), max_size=5))
def test_keys_stand_by_code_point(value: dict[str, int]) -> None:
    assert list(canonical.loads(canonical.dumps(value))) == sorted(value)
