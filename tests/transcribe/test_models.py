"""Which model is meant, and that it is that one."""

from __future__ import annotations

import hashlib
import sys
import types
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from memcon.errors import FormatError, UsageError
from memcon.transcribe.models import PINNED, find_model, installed, need_engine
from memcon.transcribe.whisper import WhisperEngine, _unload, load_engine

if TYPE_CHECKING:
    from pathlib import Path

SOUND = np.zeros(16_000 * 3, dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory that looks like a model of 7 bytes."""
    path = tmp_path / "small.en"
    path.mkdir()
    (path / "model.bin").write_bytes(b"weights")
    return path


def test_a_directory_is_a_model_and_its_digest_its_identity(folder: Path) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    for wanted in (None, digest):
        model = find_model(str(folder), wanted)
        assert (model.name, model.digest, model.path, model.english_only) == (
            "small.en",
            digest,
            folder,
            True,
        )
    with pytest.raises(FormatError, match="nothing was loaded") as refused:
        find_model(str(folder), "ab" * 32)
    assert digest in str(refused.value)
    (folder / "model.bin").unlink()
    with pytest.raises(UsageError, match=r"no model\.bin"):
        find_model(str(folder))


def test_a_known_name_must_have_the_known_weights(folder: Path) -> None:
    asked: list[str] = []

    def fetch(name: str) -> str:
        asked.append(name)
        return str(folder)

    with pytest.raises(FormatError, match=PINNED["base"]):
        find_model("base", fetch=fetch)
    assert find_model("Systran/other", fetch=fetch).name == "Systran/other"
    assert asked == ["base", "Systran/other"]


def test_what_cannot_be_had_is_said(tmp_path: Path) -> None:
    def fails(name: str) -> str:
        raise OSError(f"no network for {name}")

    with pytest.raises(UsageError, match="no network for small"):
        find_model("small", fetch=fails)
    with pytest.raises(UsageError, match="scripts/setup --speech"):
        find_model("small")
    with pytest.raises(UsageError, match="no directory"):
        find_model(str(tmp_path / "nowhere"))


class Said:
    """What faster-whisper gives back, as far as it is read."""

    def __init__(self, **facts: Any) -> None:
        self.__dict__.update(facts)


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A stand-in for the speech extra: the list of what it was asked, whether or not that is installed."""
    asked: list[dict[str, Any]] = []

    class Model:
        def __init__(self, path: str, **how: Any) -> None:
            self.path, self.how = path, how

        def transcribe(self, samples: Any, **how: Any) -> tuple[list[Said], Said]:
            asked.append(how)
            words = [
                Said(word=" Good", start=0.2, end=0.5, probability=0.9),
                Said(word=" twenty", start=0.5, end=0.8, probability=0.8),
                Said(word="-one", start=0.8, end=1.0, probability=0.6),
                Said(word=" ", start=1.0, end=1.1, probability=0.1),
                Said(word=" end.", start=2.9, end=3.4, probability=1.2),
            ]
            turns = 3.0 if "no_repeat_ngram_size" not in how and how["language"] == "xx" else 1.0
            segment = Said(words=words, text=" Said.", no_speech_prob=0.25, compression_ratio=turns)
            return [segment], Said(language=how["language"] or "ru")

    for name, content in (
        ("faster_whisper", {"WhisperModel": Model, "__version__": "9", "download_model": lambda name: name}),
        ("ctranslate2", {"__version__": "8"}),
    ):
        module = types.ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return asked


def test_words_in_ms_parts_joined_and_inside_the_sound(folder: Path, whisper: list[dict[str, Any]]) -> None:
    engine = WhisperEngine(find_model(str(folder)), beam=3)
    heard = engine.hear(SOUND, language="ru", hot_words=("Ada", "Öl"))
    assert [(w.text, w.start, w.end, w.confidence) for w in heard.words] == [
        ("Good", 200, 500, 900), ("twenty-one", 500, 1000, 600), ("end.", 2900, 3000, 1000),
    ]  # fmt: skip
    assert (heard.language, heard.found, heard.doubt) == ("en", "model", 250)
    assert (whisper[0]["language"], whisper[0]["beam_size"], whisper[0]["hotwords"]) == ("en", 3, "Ada, Öl")
    made = engine.machine("live", ("Ada",))
    assert (made.engine, made.model, made.made) == ("faster-whisper", "small.en", "live")
    assert made.settings["hot_words"] == ["Ada"]


def test_languages_translation_and_circles(folder: Path, whisper: list[dict[str, Any]]) -> None:
    many = folder.rename(folder.with_name("small"))
    engine = load_engine(str(many))
    assert engine.hear(SOUND, language=None).found == "identified"
    heard = engine.hear(SOUND, language="pt-BR", translate=True)
    assert (heard.language, heard.found, heard.translation) == ("pt-BR", "set", "Said.")
    assert whisper[-1]["task"] == "translate"
    engine.hear(SOUND, language="xx")
    assert whisper[-1]["no_repeat_ngram_size"] == 3


def test_a_model_is_let_go_before_the_interpreter_is(folder: Path, whisper: list[dict[str, Any]]) -> None:
    engine = WhisperEngine(find_model(str(folder)))
    _unload(engine)
    assert engine.whisper is None
    _unload(None)


def test_a_name_is_fetched_by_the_engine(
    folder: Path, whisper: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.modules["faster_whisper"].download_model = lambda _: str(folder)  # type: ignore[attr-defined]
    assert load_engine("someone/model").machine("whole", ()).model == "someone/model"


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert not installed()
    with pytest.raises(UsageError, match="scripts/setup --speech"):
        need_engine()
    with pytest.raises(UsageError, match="scripts/setup --speech"):
        find_model("tiny.en")
