"""faster-whisper (CTranslate2, int8) as an engine. Loaded only when something is to be transcribed."""

from __future__ import annotations

import atexit
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from memcon.record.transcript import UNKNOWN, Machine
from memcon.transcribe.engine import Heard, HeardWord
from memcon.transcribe.frames import RATE
from memcon.transcribe.models import find_model, need_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.transcribe.frames import Samples
    from memcon.transcribe.models import Model

START_BIAS_MS = {"tiny.en": 110, "base": -50}
"""How much too late a model says that words begin, by bench/transcripts.py against forced alignment."""
HOP = 160
"""Samples of a frame of the model, 10 ms."""
WHOLE_FRAMES = 3000
QUICK_FRAMES = 500
"""Silence after the sound in a quick reading. It takes a quarter of the time, and hears a little worse."""
REPEATS = 2.4
"""Text that compresses better than this repeats itself (the limit Whisper's authors use)."""


class WhisperEngine:
    """A Whisper model on the CPU. `beam` hypotheses; `threads` of one decode."""

    def __init__(self, model: Model, *, beam: int = 1, threads: int = 1) -> None:
        need_engine()
        import ctranslate2
        import faster_whisper

        self._model = model
        self._beam = beam
        self._versions = f"{faster_whisper.__version__}, ctranslate2 {ctranslate2.__version__}"
        self._bias = START_BIAS_MS.get(model.name, 0)

        class Windowed(faster_whisper.WhisperModel):  # type: ignore[misc]  # it has no types
            """Encodes the first `window` frames of the 30 s that Whisper hears otherwise, mostly silence."""

            window = WHOLE_FRAMES

            def encode(self, features: Any) -> Any:  # noqa: ANN401
                return super().encode(features[..., : self.window])

        self.whisper: Any = Windowed(str(model.path), device="cpu", compute_type="int8", cpu_threads=threads)

        mine = weakref.ref(self)
        atexit.register(lambda: _unload(mine()))

    def machine(self, made: str, hot_words: Sequence[str]) -> Machine:
        """As `Engine.machine`."""
        settings = {
            "beam": self._beam,
            "compute": "int8",
            "start_bias_ms": self._bias,
            "hot_words": list(hot_words),
        }
        model = self._model
        return Machine(
            "faster-whisper", self._versions, model.name, model.version, model.digest, made, settings
        )

    def hear(
        self,
        samples: Samples,
        *,
        language: str | None,
        hot_words: Sequence[str] = (),
        translate: bool = False,
        quick: bool = False,
    ) -> Heard:
        """As `Engine.hear`."""
        frames = len(samples) // HOP + QUICK_FRAMES
        self.whisper.window = min(frames + frames % 2, WHOLE_FRAMES) if quick else WHOLE_FRAMES
        english = self._model.english_only
        wanted = "en" if english else None if language is None else language.split("-")[0].lower()
        segments, info = self._decode(samples, wanted, hot_words)
        found = "model" if english else "set" if wanted else "identified"
        words = [word for segment in segments for word in (segment.words or [])]
        # One doubt for the whole: that of its most certain part, since a stretch holds several.
        doubt = min((segment.no_speech_prob for segment in segments), default=1.0)
        translation = ""
        if translate and not english and info.language != "en" and words:
            said, _ = self._transcribe(samples, info.language, (), task="translate")
            translation = " ".join(segment.text.strip() for segment in said)
        return Heard(
            tuple(self._words(words, len(samples) * 1000 // RATE)),
            language if language and not english else info.language or UNKNOWN,
            found,
            round(doubt * 1000),
            translation,
        )

    def _decode(
        self, samples: Samples, language: str | None, hot_words: Sequence[str]
    ) -> tuple[list[Any], Any]:
        segments, info = self._transcribe(samples, language, hot_words)
        if any(segment.compression_ratio > REPEATS for segment in segments):
            # It went round in circles: once more without repeats, still the same answer every time.
            segments, info = self._transcribe(samples, language, (), no_repeat_ngram_size=3)
        return segments, info

    def _transcribe(
        self, samples: Samples, language: str | None, hot_words: Sequence[str], **more: str | int
    ) -> tuple[list[Any], Any]:
        segments, info = self.whisper.transcribe(
            np.ascontiguousarray(samples),
            language=language,
            beam_size=self._beam,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps="task" not in more,
            hotwords=", ".join(hot_words) or None,
            **more,
        )
        return list(segments), info

    def _words(self, words: Sequence[Any], length: int) -> list[HeardWord]:
        """The engine's words in ms, its bias taken off; a part written without a space joins its word."""
        made: list[HeardWord] = []
        for word in words:
            text = word.word.strip()
            start = min(max(0, round(word.start * 1000) - self._bias), length)
            end = min(max(start, round(word.end * 1000)), length)
            sure = round(min(max(word.probability, 0.0), 1.0) * 1000)
            if not text:
                continue
            if made and not word.word.startswith(" ") and text.isascii():
                before = made.pop()
                text, start, sure = before.text + text, before.start, min(before.confidence, sure)
            made.append(HeardWord(text, max(start, made[-1].start if made else 0), max(start, end), sure))
        return made


def _unload(engine: WhisperEngine | None) -> None:
    """Let the model go while the interpreter is whole: its threads wait for ever on one that shuts down."""
    if engine is not None:
        engine.whisper = None


def load_engine(wanted: str, digest: str | None = None, *, beam: int = 1, threads: int = 1) -> WhisperEngine:
    """The engine of a model by name or directory (`models.find_model`)."""
    need_engine()

    def fetch(name: str) -> str:
        import faster_whisper

        return str(faster_whisper.download_model(name))

    return WhisperEngine(find_model(wanted, digest, fetch=fetch), beam=beam, threads=threads)
