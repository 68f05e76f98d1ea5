"""The tables of the catalogue. All of it can be made again from vault and log: `memcon rebuild`.

Times in ns. JSON columns are texts.

Calls that were taken in from files stand in `calls` too, under the numbers -1, -2 …: they can never be taken
for a recorded call, whose numbers are dense from 1.

So do calls that are known only from accounts, under what `numbers.number_of` makes of their dossiers.

Indexes are such that a page of the register is found by walking one of them in its own order, however many
calls there are.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

VERSION = 3
"""Kept in `meta`; a catalogue of another version is emptied and has to be rebuilt."""

metadata = MetaData()

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

calls = Table(
    "calls",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("handle", Text, nullable=False, server_default=""),
    Column("start_wall", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("mode", Text),
    Column("line", Text),
    Column("opened", Integer, nullable=False, server_default="0"),  # 0: only its structure is known here
    Column("source_ids", Text, nullable=False, server_default="{}"),
    Column("oddities", Text, nullable=False, server_default="[]"),
    Column("end_wall", BigInteger),
    Column("duration", BigInteger),
    Column("segments", Integer, nullable=False, server_default="0"),
    Column("cause", Integer),
    Column("who", Integer),
    Column("first_beat", Integer),
    Column("last_beat", Integer),
    Column("received", Integer, nullable=False, server_default="0"),
    Column("lost", Integer, nullable=False, server_default="0"),
    Column("gaps", Integer, nullable=False, server_default="0"),  # empty seconds nobody declared
    Column("recovered", Integer, nullable=False, server_default="0"),
    Column("call_root", Text),
    Column("done", Integer, nullable=False, server_default="0"),  # left the sealing process whole
    Column("settled", Integer, nullable=False, server_default="0"),  # read from its leaves, not the feed
    Index("calls_by_start", "start_wall", "number"),
    Index("calls_by_state", "state", "start_wall", "number"),
    Index("calls_by_line", "line", "start_wall", "number"),
)

parties = Table(
    "parties",
    metadata,
    Column("call", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("id", Text),
    Column("name", Text),
    Column("aor", Text),
    Column("label", Text),
    Column("role", Text),
    PrimaryKeyConstraint("call", "place"),
    sqlite_with_rowid=False,
)

streams = Table(
    "streams",
    metadata,
    Column("call", Integer, nullable=False),
    Column("stream", Integer, nullable=False),
    Column("label", Text),
    Column("mline", Integer),
    Column("port", Integer),
    Column("codecs", Text, nullable=False, server_default="[]"),
    Column("direction", Text),
    Column("participant", Text),
    Column("received", Integer, nullable=False, server_default="0"),
    Column("expected", Integer, nullable=False, server_default="0"),
    Column("kernel_drops", Integer, nullable=False, server_default="0"),
    Column("duplicates", Integer, nullable=False, server_default="0"),
    Column("reordered", Integer, nullable=False, server_default="0"),
    Column("seconds", LargeBinary, nullable=False, server_default=""),  # a code a second, see structure.py
    PrimaryKeyConstraint("call", "stream"),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("call", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("wall", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("facts", Text, nullable=False),
    PrimaryKeyConstraint("call", "n"),
    sqlite_with_rowid=False,
)

beats = Table(
    "beats",
    metadata,
    Column("index", Integer, primary_key=True),
    Column("slot", BigInteger, nullable=False, index=True),
    Column("state", Integer, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("wall", BigInteger, nullable=False),
    Column("published", BigInteger),
)

call_beats = Table(
    "call_beats",
    metadata,
    Column("call", Integer, nullable=False),
    Column("index", Integer, nullable=False),
    Column("first", Integer, nullable=False),  # segments [first, first + segments) closed in this beat
    Column("segments", Integer, nullable=False),
    Column("lost", Integer, nullable=False, server_default="0"),  # packets lost so far, all RTP streams
    PrimaryKeyConstraint("call", "index"),
    sqlite_with_rowid=False,
)

words = Table(
    "words",
    metadata,
    Column("word", Text, nullable=False),
    Column("call", Integer, nullable=False),
    PrimaryKeyConstraint("word", "call"),
    Index("words_by_call", "call"),
    sqlite_with_rowid=False,
)

links = Table(
    "links",
    metadata,
    Column("link", Text, nullable=False),  # a name of the call that was recorded, its kind before it
    Column("call", Integer, nullable=False),
    PrimaryKeyConstraint("link", "call"),
    Index("links_by_call", "call"),
    sqlite_with_rowid=False,
)

instances = Table(
    "instances",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("wall", BigInteger, nullable=False),
)

offs = Table(
    "offs",
    metadata,
    Column("wall", BigInteger, primary_key=True),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

notes = Table(
    "notes",
    metadata,
    Column("hash", Text, primary_key=True),  # of the object it seals, hex
    Column("number", Integer, nullable=False),
    Column("type", Integer, nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("index", Integer, nullable=False),
    sqlite_with_rowid=False,
)

dossiers = Table(
    "dossiers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("date", Text, nullable=False),  # EDTF
    Column("start", BigInteger),
    Column("end", BigInteger),
    Column("record", Text, nullable=False),
    Column("call", Integer, index=True),
    Column("entries", Integer, nullable=False),
    Column("sources", Integer, nullable=False),
    Column("readouts", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("topics", Integer),
    Column("one_sided", Integer),
    Column("parties", Text, nullable=False),
    Column("countries", Text, nullable=False),
    Column("changed", Text, nullable=False),
    Index("dossiers_by_start", "start", "id"),
)

dossier_words = Table(
    "dossier_words",
    metadata,
    Column("word", Text, nullable=False),
    Column("dossier", Text, nullable=False),
    PrimaryKeyConstraint("word", "dossier"),
    Index("dossier_words_by_dossier", "dossier"),
    sqlite_with_rowid=False,
)

dossier_calls = Table(
    "dossier_calls",
    metadata,
    Column("dossier", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),  # its row in `calls`: the recorded call's, or its own
    sqlite_with_rowid=False,
)

intakes = Table(
    "intakes",
    metadata,
    Column("n", Integer, primary_key=True),  # its row in `calls` has the number -n
    Column("hash", Text, nullable=False, index=True),  # of its statement, which the NOTE names
    Column("sha256", Text, nullable=False, index=True),  # of the file
    Column("bytes", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("form", Text, nullable=False),
)

refused = Table(
    "refused",
    metadata,
    Column("path", Text, primary_key=True),  # a file of the watched folder, or one that was handed in
    Column("size", BigInteger, nullable=False),
    Column("mtime", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("wall", BigInteger, nullable=False),
)

OF_A_CALL = (parties, streams, events, call_beats, words, links)
"""Tables whose rows belong to one call, by their column `call`."""
