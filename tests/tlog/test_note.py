from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tlog.conftest import TestKey, signed

from memcon.errors import FormatError
from memcon.tlog import note as notes
from memcon.tlog.encoding import PublicKeyError, to_base64
from memcon.tlog.note import (
    MAX_NOTE_SIZE,
    MAX_SIGNATURES,
    Ed25519Verifier,
    Note,
    NoteError,
    Signature,
    SignatureError,
    VerifierKey,
)

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"This is an example message.\n"
KEY, OTHER = TestKey("example.com/foo", number=1), TestKey("example.com/bar", number=2)
NOTE = signed(TEXT, [KEY, OTHER])
NAMES = st.text(min_size=1, max_size=12).filter(
    lambda name: not any(c.isspace() or c in "+" or c < " " or "\ud800" <= c <= "\udfff" for c in name)
)
SIGNATURES = st.builds(
    Signature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=60).map(
    lambda text: f"{text}\n".encode()
)


def checkers(*keys: TestKey) -> list[Ed25519Verifier]:
    return [Ed25519Verifier(key.key) for key in keys]


class TestFormat:
    @given(TEXTS, st.lists(SIGNATURES, min_size=1, max_size=5).map(tuple))
    def test_parse_after_serialise(self, text: bytes, signatures: tuple[Signature, ...]) -> None:
        note = Note(text, signatures)
        assert Note.parse(note.to_bytes()) == note

    @given(
        st.binary(max_size=80)
        | st.text(alphabet="a\n\u2014 =AQ+", max_size=40).map(str.encode)
        | st.builds(
            lambda head, tail: head + NOTE.to_bytes() + tail, st.binary(max_size=3), st.binary(max_size=3)
        )
    )
    def test_hostile_bytes(self, data: bytes) -> None:
        try:
            note = Note.parse(data)
        except FormatError:
            return
        assert note.to_bytes() == data

    def test_text_ends_at_the_last_empty_line(self) -> None:
        text = b"one\n\n\xe2\x80\x94 not a signature\n\ntwo\n"
        note = signed(text, [KEY])
        assert Note.parse(note.to_bytes()).text == text
        assert notes.verify(note, checkers(KEY))

    @pytest.mark.parametrize("cut", range(1, len(NOTE.to_bytes()), 7))
    def test_cut_notes(self, cut: int) -> None:
        data = NOTE.to_bytes()[:-cut]
        try:
            note = Note.parse(data)
        except NoteError:
            return
        # Only the cut between two signature lines leaves a note: one with a signature less.
        assert note.signatures == NOTE.signatures[:1]

    def test_sixteen_signatures_and_more_are_read(self) -> None:
        line = NOTE.signatures[0]
        most = Note(TEXT, (line,) * MAX_SIGNATURES)
        assert len(Note.parse(most.to_bytes()).signatures) == MAX_SIGNATURES >= 16
        with pytest.raises(NoteError, match="more than 64"):
            Note.parse(most.to_bytes() + line.line())
        with pytest.raises(NoteError, match="65 signatures"):
            most.add(line)

    def test_size_is_bounded(self) -> None:
        longest = b"a" * (MAX_NOTE_SIZE - len(NOTE.to_bytes())) + NOTE.to_bytes()
        assert len(Note.parse(longest).signatures) == 2
        with pytest.raises(NoteError, match="longer than"):
            Note.parse(b"a" + longest)

    def test_add_keeps_what_is_there(self) -> None:
        assert signed(TEXT, [KEY]).add(OTHER.sign(TEXT)) == NOTE


def line(name: str = "n", blob: bytes = b"keyidsig") -> str:
    return f"\u2014 {name} {to_base64(blob)}\n"


NEGATIVE = {
    "empty": b"",
    "no-signatures": b"text\n",
    "empty-signatures": b"text\n\n",
    "no-blank-line": f"text\n{line()}".encode(),
    "no-final-newline": f"text\n\n{line()[:-1]}".encode(),
    "hyphen-for-dash": f"text\n\n{line().replace(chr(0x2014), '-')}".encode(),
    "en-dash": f"text\n\n{line().replace(chr(0x2014), chr(0x2013))}".encode(),
    "no-space-after-dash": f"text\n\n{line().replace(' ', '', 1)}".encode(),
    "two-spaces": f"text\n\n{line().replace(' ', '  ', 1)}".encode(),
    "space-before-newline": f"text\n\n{line()[:-1]} \n".encode(),
    "no-base64": "text\n\n\u2014 name\n".encode(),
    "empty-name": f"text\n\n{line('')}".encode(),
    "plus-in-name": f"text\n\n{line('a+b')}".encode(),
    "no-break-space-in-name": f"text\n\n{line(chr(0xA0))}".encode(),
    "line-separator-in-name": f"text\n\n{line(chr(0x2028))}".encode(),
    "key-id-alone": f"text\n\n{line(blob=b'1234')}".encode(),
    "three-bytes": f"text\n\n{line(blob=b'123')}".encode(),
    "padding-bits": "text\n\n\u2014 n QUFBQUF=\n".encode(),
    "text-after-signatures": f"text\n\n{line()}more\n".encode(),
    "carriage-return": f"text\r\n\n{line()}".encode(),
    "tab": f"te\txt\n\n{line()}".encode(),
    "nul": f"te\0xt\n\n{line()}".encode(),
    "not-utf8": b"te\xffxt\n\n" + line().encode(),
}


@pytest.mark.parametrize("data", NEGATIVE.values(), ids=NEGATIVE.keys())
def test_negative_vectors(data: bytes) -> None:
    with pytest.raises(NoteError):
        Note.parse(data)


def test_nothing_unreadable_can_be_built() -> None:
    with pytest.raises(NoteError, match="does not end in a newline"):
        Note(b"text", NOTE.signatures)
    with pytest.raises(NoteError, match="0 signatures"):
        Note(TEXT, ())
    with pytest.raises(NoteError, match="key id of 4 bytes"):
        Signature("n", b"123", b"s")


class TestVerifierKey:
    def test_the_specification_s_key(self) -> None:
        text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
        key = VerifierKey.parse(text)
        assert (key.name, key.kind, key.key_id.hex()) == ("example.com/foo", notes.ED25519, "530d903a")
        assert str(key) == text

    @pytest.mark.parametrize("kind", [notes.ED25519, notes.COSIGNATURE_ED25519, notes.COSIGNATURE_MLDSA44])
    def test_parse_after_serialise(self, kind: int) -> None:
        key = TestKey("w.example/x", kind).key
        assert VerifierKey.parse(str(key)) == key

    def test_a_plus_in_the_base64_part_is_no_divider(self) -> None:
        keys = [TestKey("k", number=number).key for number in range(60)]
        with_plus = [key for key in keys if str(key).count("+") > 2]
        assert with_plus
        for key in with_plus:
            assert VerifierKey.parse(str(key)) == key

    @given(st.text(max_size=40) | st.text(alphabet="a+0AQ=", max_size=20))
    def test_hostile_text(self, text: str) -> None:
        with pytest.raises(PublicKeyError):
            VerifierKey.parse(text)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("example.com/foo", "not of the form"),
            ("example.com/foo+530d903a", "not of the form"),
            ("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "key id '530d903b'"),
            ("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "key id '530D903A'"),
            ("example.com/foO+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "key id"),
            ("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "empty key name"),
            ("a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "a space"),
            ("x+530d903a+", "no signature type"),
            ("x+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2", "not base64"),
            ("x+530d903a+AuM=", "unsupported signature type 2"),
            ("x+530d903a+AeM=", "has 32 bytes, this one 1"),
            ("x+530d903a+BuM=", "has 1312 bytes, this one 1"),
        ],
    )
    def test_negative_vectors(self, text: str, problem: str) -> None:
        with pytest.raises(PublicKeyError, match=problem):
            VerifierKey.parse(text)


class TestVerify:
    def test_known_keys_are_found_and_unknown_ignored(self) -> None:
        first, second = checkers(KEY, OTHER)
        assert notes.verify(NOTE, [second]) == [(NOTE.signatures[1], second)]
        assert [found for _, found in notes.verify(NOTE, [second, first])] == [first, second]

    def test_no_known_key(self) -> None:
        with pytest.raises(SignatureError, match="not signed by any known key"):
            notes.verify(NOTE, checkers(TestKey("example.com/foo", number=3)))
        with pytest.raises(SignatureError, match="not signed"):
            notes.verify(NOTE, [])

    def test_same_name_or_same_id_alone_is_another_key(self) -> None:
        real = KEY.sign(TEXT)
        same_name = Signature(KEY.name, b"\0\0\0\0", b"s" * 64)
        same_id = Signature("example.com/else", real.key_id, b"s" * 64)
        note = Note(TEXT, (same_name, same_id, real))
        assert [one for one, _ in notes.verify(note, checkers(KEY))] == [real]

    def test_a_known_key_s_bad_signature_rejects_the_whole_note(self) -> None:
        bad = Signature(KEY.name, KEY.key.key_id, b"s" * 64)
        for order in ((bad, KEY.sign(TEXT)), (OTHER.sign(TEXT), bad)):
            with pytest.raises(SignatureError, match=r"at example\.com/foo: a known key's signature"):
                notes.verify(Note(TEXT, order), checkers(KEY, OTHER))

    def test_keys_that_cannot_be_told_apart(self) -> None:
        with pytest.raises(SignatureError, match="share name and key id"):
            notes.verify(NOTE, checkers(KEY, KEY))

    @pytest.mark.parametrize("at", range(len(signed(TEXT, [KEY]).to_bytes())))
    def test_any_flipped_byte_fails_or_names_an_unknown_key(self, at: int) -> None:
        data = bytearray(signed(TEXT, [KEY]).to_bytes())
        for bit in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[at] ^= bit
            with pytest.raises(FormatError):
                notes.verify(Note.parse(bytes(changed)), checkers(KEY))

    def test_another_type_is_no_plain_key(self) -> None:
        with pytest.raises(PublicKeyError, match="type 4 is no plain Ed25519 key"):
            Ed25519Verifier(TestKey("n", notes.COSIGNATURE_ED25519).key)


def test_published_notes(tlog_data: Path) -> None:
    key = VerifierKey.parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
    for size in range(16):
        data = (tlog_data / f"tessera/testdata/log/checkpoint.{size}").read_bytes()
        note = Note.parse(data)
        assert note.to_bytes() == data
        assert len(notes.verify(note, [Ed25519Verifier(key)])) == 1
