from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record import body as b
from memcon.record import canonical

FIELDS = {
    "who": b.Field(b.text(10, empty=False), required=True),
    "note": b.Field(b.text(10), ""),
    "count": b.Field(b.maybe(b.number)),
    "sure": b.Field(b.flag, default=False),
    "side": b.Field(b.like(re.compile("[A-Z]"), "side", empty=True), ""),
    "code": b.Field(b.maybe(b.like(re.compile("[0-9]{2}"), "code"))),
    "state": b.Field(b.one_of(("open", "shut")), "open"),
    "when": b.Field(b.date(), ""),
    "since": b.Field(b.maybe(b.date(empty=False))),
    "items": b.Field(b.list_of(b.number), []),
    "facts": b.Field(b.maybe(b.mapping)),
}


def test_what_was_not_given_has_its_default() -> None:
    full = b.complete("thing", FIELDS, {"who": "A"})
    assert full == {
        "who": "A", "note": "", "count": None, "sure": False, "side": "", "code": None, "state": "open",
        "when": "", "since": None, "items": [], "facts": None,
    }  # fmt: skip
    full["items"].append(1)
    assert b.complete("thing", FIELDS, {"who": "A"})["items"] == []


def test_what_is_given_is_kept() -> None:
    given_ = {
        "who": "A", "note": "two\nlines", "count": 2, "sure": True, "side": "B", "code": "07",
        "state": "shut", "when": "2017-01~", "since": "2017-01-28", "items": [1, 2], "facts": {"a": 1},
    }  # fmt: skip
    assert b.complete("thing", FIELDS, given_) == given_


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("who", 7, "is no text"),
        ("who", "x" * 11, "is longer than 10 characters"),
        ("who", "a\x00b", "holds a control character"),
        ("who", " \n", "is empty"),
        ("count", -1, "-1 is no number from 0"),
        ("count", True, "True is no number from 0"),
        ("count", 1 << 53, "is no number from 0"),
        ("sure", 1, "is neither true nor false"),
        ("side", "BB", "is no side"),
        ("side", 7, "7 is no side"),
        ("code", "", "'' is no code"),
        ("state", "ajar", "'ajar' is none of open, shut"),
        ("state", ["open"], "is none of open, shut"),
        ("when", 2017, "is no text"),
        ("when", "2017-13-45", "is no EDTF date"),
        ("since", "", "is empty"),
        ("items", "12", "is no list of at most 200"),
        ("items", [0] * 201, "is no list of at most 200"),
        ("items", [1, "x"], "'x' is no number from 0"),
        ("facts", [], "is no object"),
    ],
)
def test_what_is_wrong_is_named(field: str, value: object, problem: str) -> None:
    with pytest.raises(FormatError, match=re.escape(problem)) as caught:
        b.complete("thing", FIELDS, {"who": "A", field: value})
    assert caught.value.what == "thing entry"
    assert caught.value.where == field


def test_a_field_too_many_and_one_too_few() -> None:
    with pytest.raises(FormatError, match="there is no such field") as caught:
        b.complete("thing", FIELDS, {"who": "A", "whom": "B"})
    assert "who, note" in str(caught.value)
    with pytest.raises(FormatError, match="is missing"):
        b.complete("thing", FIELDS, {})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(max_size=5), values, max_size=6))
def test_any_body_is_taken_whole_or_refused(body: dict[str, Any]) -> None:
    try:
        full = b.complete("thing", FIELDS, body)
    except FormatError:
        return
    assert set(full) == set(FIELDS)
    assert {key: full[key] for key in body} == body
    assert b.complete("thing", FIELDS, full) == full
    canonical.dumps(full)
