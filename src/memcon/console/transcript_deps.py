"""What the console needs to know of transcripts: the versions, their seals, what is being heard now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.catalogue.dossiers import SealedNote
    from memcon.record.transcript import Lane, Transcript
    from memcon.release.citing import Cited
    from memcon.store.transcripts import Kept, Listed


class Versions(Protocol):
    """Transcripts, by their subjects' keys (`call-12`): `memcon.store.transcripts.TranscriptStore`."""

    def versions(self, key: str) -> Sequence[Listed]:
        """The versions there are, oldest first."""
        ...

    def current_version(self, key: str) -> int | None:
        """The number of the version that is shown."""
        ...

    def read(self, key: str, version: int) -> Kept:
        """One version. UsageError where there is none."""
        ...

    def head(self, key: str, version: int) -> Kept:
        """One version without its words."""
        ...

    def bytes_of(self, key: str, version: int) -> bytes:
        """The bytes of one version, as they are sealed."""
        ...

    def append(self, draft: Transcript, *, after: int | None = None) -> Kept:
        """Write the next version; UsageError where `after` is not the newest any more."""
        ...


class TranscriptBook(Protocol):
    """Everything the pages know of what was said."""

    @property
    def installed(self) -> bool:
        """Whether this machine can hear words: the speech extra is there."""
        ...

    @property
    def store(self) -> Versions:
        """The versions."""
        ...

    def sealed(self, hashes: Sequence[str]) -> Mapping[str, SealedNote]:
        """Where the NOTEs over versions stand; those no beat has sealed yet are left out."""
        ...

    def live(self, number: int) -> Sequence[Lane]:
        """What has been heard so far of a call that goes on, by lane; empty where nothing was.
        FormatError where it is damaged: the next utterance writes it anew."""
        ...


class WordFiles(Protocol):
    """Makes what a reader takes away of a transcript: `memcon.service.exporting`."""

    def make(self, number: int, kind: str, version: int | None = None) -> str:
        """A file of a call (negative: taken in) as text. UsageError where there is none."""
        ...

    def cited(self, number: int, span: tuple[int, int] | None, version: int | None) -> Cited:
        """What a citation of a span (ms) is made of. UsageError where it is not within the call."""
        ...
