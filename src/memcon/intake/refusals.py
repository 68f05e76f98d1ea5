"""Why a file is not taken in, or taken in with a remark: one table of codes (docs/CODES.md repeats it).

A file that is refused leaves nothing behind, and the rest of the batch goes on.
"""

from __future__ import annotations

from typing import NamedTuple

from memcon.errors import RemoteError


class Row(NamedTuple):
    """What a code says, in one sentence, and what to do."""

    sentence: str
    cure: str


REFUSALS: dict[str, Row] = {
    "ingest-empty": Row("The file has no bytes.", "Get it again from where it came."),
    "ingest-unreadable": Row("The file cannot be read.", "Give the user that runs memcon access to it."),
    "ingest-changed": Row("The file changed while it was read.", "Take it in when it is written to its end."),
    "ingest-unknown": Row(
        "It is no audio, video, packet capture or vCon.",
        "Take in WAV, FLAC, MP3, M4A, Opus, OGG, video with sound, PCAP or vCon; other papers belong in a "
        "dossier: memcon dossier add.",
    ),
    "ingest-archive": Row("It is an archive.", "Unpack it, and take in the files in it."),
    "ingest-encrypted": Row(
        "It is encrypted or protected by a password or rights management.",
        "Take in the file that its owner has unlocked.",
    ),
    "ingest-corrupt": Row(
        "The media cannot be decoded from a place on.",
        "Get a better copy; --damaged takes it in as it is, with what could be decoded.",
    ),
    "ingest-truncated": Row(
        "The file ends before the media does.",
        "Get it whole; --damaged takes it in as it is, with what there is.",
    ),
    "ingest-no-audio": Row("There is no sound in it.", "Nothing: a call has sound."),
    "ingest-limit": Row(
        "It is larger, longer or has more channels than the configuration allows, or decoding it took more "
        "memory or time.",
        "Raise the limit in [intake] of memcon.toml, if the file is to be trusted.",
    ),
    "ingest-crash": Row(
        "The decoder ended without an answer: nothing of it is trusted.",
        "Take care with this file: it may be made to harm. Decode it elsewhere, and take in what comes.",
    ),
    "ingest-pcap": Row(
        "The packet capture cannot be read from a place on.",
        "Capture again or get a better copy; --damaged takes it in as it is, with the packets before.",
    ),
    "ingest-no-rtp": Row(
        "The packet capture holds no RTP.", "See that the capture was of the media, unencrypted."
    ),
    "ingest-vcon": Row("The vCon contradicts its format.", "Have its maker write it again."),
    "ingest-vcon-sealed": Row(
        "The vCon is encrypted, and its key is not here.", "Take in the vCon that its owner has decrypted."
    ),
    "ingest-vcon-dangling": Row(
        "The vCon refers to a party or a dialog that is not in it.", "Have its maker write it again."
    ),
    "ingest-vcon-reference": Row(
        "The vCon's recording stands elsewhere, and may not or cannot be fetched.",
        "Allow the address in [intake] fetch of memcon.toml, or put the recording into the vCon. Only https "
        "with a content_hash is ever fetched.",
    ),
    "ingest-vcon-hash": Row(
        "A recording is not what the vCon's content_hash says.", "Get the recording or the vCon again."
    ),
}

REMARKS: dict[str, Row] = {
    "ingest-misnamed": Row(
        "Its name says another kind of file than it is.", "Nothing: its content was read."
    ),
    "ingest-loss": Row("Packets of a stream are missing in the capture.", "Nothing: the gaps are shown."),
    "ingest-damaged": Row(
        "It was taken in although it is damaged, as asked.", "Look for a better copy; both may be kept."
    ),
    "ingest-unsigned": Row("A vCon's signature was not checked.", "Check it with its maker's certificate."),
    "ingest-left-out": Row("Something in it is no audio, and was kept and not read.", "Nothing."),
}


class RefusedError(RemoteError):
    """A file that is not taken in, by its code; `text` says what is wrong with this one."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text, cure=REFUSALS[code].cure.rstrip("."))
        self.code = code
        self.text = text
