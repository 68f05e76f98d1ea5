"""Names are heard where they were said, and not where they were not."""

from __future__ import annotations

import pytest
from tests.transcribe.sounds import FakeEngine, voice

from memcon.transcribe.engine import Heard, HeardWord
from memcon.transcribe.names import hear_names, likely_names, misheard


def heard(text: str) -> Heard:
    return Heard(
        tuple(HeardWord(w, n * 100, n * 100 + 90, 900) for n, w in enumerate(text.split())), "en", "set"
    )


def test_names_of_a_call() -> None:
    parties = ["Ada Lovelace", "sip:4711@example.org", "+49 30 1234", " Ada Lovelace ", "Öl AG"]
    assert likely_names(parties, ["Harrow Weir"]) == ("Harrow Weir", "Ada Lovelace", "Öl AG")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("we run comfy eye here", ("ComfyUI",)),
        ("we run ComfyUI here", ()),
        ("at Harrow where they met", ("Harrow Weir",)),
        ("nothing of the kind", ()),
        ("", ()),
    ],
)
def test_what_may_be_a_misheard_name(text: str, found: tuple[str, ...]) -> None:
    assert misheard(heard(text), ["ComfyUI", "Harrow Weir", "Li"]) == found


def test_a_name_is_taken_only_where_the_second_reading_has_it() -> None:
    sound = voice(1200)
    good = FakeEngine(texts={(): ["comfy", "eye", "here"], ("ComfyUI",): ["ComfyUI", "here", "now"]})
    assert [w.text for w in hear_names(good, sound, "en", ["ComfyUI"]).words] == ["ComfyUI", "here", "now"]
    vain = FakeEngine(texts={(): ["comfy", "eye", "here"], ("ComfyUI",): ["comfy", "I", "here"]})
    assert [w.text for w in hear_names(vain, sound, "en", ["ComfyUI"]).words] == ["comfy", "eye", "here"]
    assert len(vain.asked) == 2
    none = FakeEngine()
    hear_names(none, sound, "en", ["ComfyUI"])
    assert none.asked == [(1200, "en", ())]
