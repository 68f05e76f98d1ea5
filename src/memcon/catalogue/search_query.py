"""What people ask the search, read into a tree, and the tree into an expression of FTS5.

    query   = or
    or      = and *( "OR" and )
    and     = not *( ["AND"] not )
    not     = [ "NOT" / "-" ] item
    item    = "(" or ")" / near / phrase / word ["*"] / field
    near    = "NEAR(" 2*( phrase / word ) ["," number] ")"
    field   = name ":" ( phrase / word )     name = speaker party language from to date in only call

Words are asked for by their stems in every language that is indexed. FTS5 gets nothing of what was typed
but letters and digits between quotation marks, so that nothing typed is ever a command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from memcon.catalogue.numbers import parse_display
from memcon.catalogue.stems import folded, primary, stem, tokens
from memcon.clock import NS
from memcon.errors import FormatError, UsageError
from memcon.record import edtf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOST_TEXT = 1000
MOST_TERMS = 40
MOST_DEPTH = 20
MOST_FORMS = 200
NEAR = 10
"""Words between two that are near each other, unless the question says how many."""
FIELDS = ("speaker", "party", "language", "from", "to", "date", "in", "only", "call")
KINDS = {"transcripts": "transcript", "transcript": "transcript", "dossiers": "dossier", "dossier": "dossier",
         "calls": "call", "metadata": "call"}  # fmt: skip
_LEX = re.compile(
    r"""\s*(?: (?P<open>\() | (?P<close>\)) | (?P<near>NEAR\s*\() | (?P<comma>,)
      | (?P<minus>-(?=[^\s-])) | (?P<name>[a-z]+):(?=\S) | "(?P<phrase>[^"]*)(?P<shut>"?) (?P<pstar>\*?)
      | (?P<word>[^\s()",]+) )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow each other; `prefix`: the last one may go on. `words` are in lower case."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Near:
    """Terms within `distance` words of each other."""

    terms: tuple[Term, ...]
    distance: int = NEAR


@dataclass(frozen=True, slots=True)
class Facet:
    """Words of the facets, any of them."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Speaker:
    """Spoken by somebody whose name has these words, folded."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every one of them."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of them."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    item: Node


Node: TypeAlias = "Term | Near | Facet | Speaker | All | AnyOf | Not"


def _wrong(problem: str, cure: str) -> UsageError:
    return UsageError(f"the question cannot be read: {problem}", cure=cure)


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    star: bool = False


def _lex(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text.rstrip()):
        match = _LEX.match(text, at)
        if match is None:  # a lone sign that is no word
            at += 1
            continue
        at = match.end()
        for kind in ("open", "close", "near", "comma", "minus"):
            if match[kind] is not None:
                yield _Token(kind, match[kind])
                break
        else:
            if match["name"] is not None:
                yield _Token("name", match["name"])
            elif match["phrase"] is not None:
                if not match["shut"]:
                    raise _wrong("a quotation mark is not closed", 'Close it: "two words"')
                yield _Token("phrase", match["phrase"], bool(match["pstar"]))
            else:
                word = match["word"]
                yield _Token("word", word.rstrip("*"), word.endswith("*"))


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > MOST_TEXT:
            raise _wrong(f"it has more than {MOST_TEXT} characters", "Ask for fewer words")
        self._tokens = list(_lex(text))
        self._at = 0
        self._depth = 0
        self._terms = 0

    def parse(self) -> Node:
        if not self._tokens:
            raise _wrong("it is empty", "Type a word that was said")
        node = self._or()
        if self._at < len(self._tokens):
            raise _wrong("a bracket closes that was not opened", "Take it away, or open one before it")
        return node

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> _Token:
        token = self._peek()
        if token is None:
            raise _wrong("it ends where a word was due", "Say what is to be found")
        self._at += 1
        return token

    def _is(self, word: str) -> bool:
        token = self._peek()
        return token is not None and token.kind == "word" and token.text == word and not token.star

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise _wrong(f"brackets go deeper than {MOST_DEPTH}", "Ask in several questions")
        items = [self._and()]
        while self._is("OR"):
            self._at += 1
            items.append(self._and())
        self._depth -= 1
        return items[0] if len(items) == 1 else AnyOf(tuple(items))

    def _and(self) -> Node:
        items: list[Node] = []
        while True:
            if self._is("AND"):
                if not items:
                    raise _wrong("AND stands at the beginning", "Put a word before it")
                self._at += 1
            token = self._peek()
            if token is None or token.kind == "close" or self._is("OR"):
                break
            items.append(self._not())
        if not items:
            raise _wrong("a word is missing beside OR or in a bracket", "Put one there")
        return items[0] if len(items) == 1 else All(tuple(items))

    def _not(self) -> Node:
        token = self._peek()
        if token is not None and (token.kind == "minus" or self._is("NOT")):
            self._at += 1
            return Not(self._item())
        return self._item()

    def _item(self) -> Node:
        token = self._next()
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise _wrong(f"it has more than {MOST_TERMS} words", "Ask for fewer")
        if token.kind == "open":
            node = self._or()
            if self._next_kind() != "close":
                raise _wrong("a bracket is not closed", "Close it")
            return node
        if token.kind == "near":
            return self._near()
        if token.kind == "name":
            return self._field(token.text)
        if token.kind in ("word", "phrase"):
            return _term(token)
        raise _wrong(f"{token.text!r} stands where a word was due", "Put a word there")

    def _next_kind(self) -> str:
        token = self._peek()
        self._at += 1
        return "" if token is None else token.kind

    def _near(self) -> Near:
        terms: list[Term] = []
        distance = NEAR
        while True:
            token = self._next()
            if token.kind == "close":
                break
            if token.kind == "comma":
                number = self._next().text
                if not number.isascii() or not number.isdigit() or not 0 < int(number) <= 1000:
                    raise _wrong(f"NEAR within {number!r} words", "Give 1 to 1000: NEAR(gas prices, 5)")
                distance = int(number)
            elif token.kind in ("word", "phrase"):
                terms.append(_term(token))
            else:
                raise _wrong(f"{token.text!r} stands in NEAR( )", "Put words or phrases there alone")
        if len(terms) < 2:
            raise _wrong("NEAR( ) has fewer than two words", "Write it as NEAR(gas prices, 5)")
        return Near(tuple(terms), distance)

    def _field(self, name: str) -> Node:
        token = self._next()
        if token.kind not in ("word", "phrase"):
            raise _wrong(f"nothing stands after {name}:", f'Write it as {name}:word or {name}:"two words"')
        made = _FIELDS.get(name)
        if made is None:
            if token.kind == "word":  # no field of ours: `14:30`, `https://…`
                return _term(_Token("word", f"{name}:{token.text}", token.star))
            raise _wrong(f"there is no field {name}:", f"Fields are {', '.join(f'{one}:' for one in FIELDS)}")
        return made(token.text)


def _term(token: _Token) -> Term:
    words = tuple(tokens(token.text))
    if not words:
        raise _wrong(f"{token.text!r} has no letter and no digit", "Type a word that was said")
    return Term(words, token.star)


def _speaker(text: str) -> Node:
    words = folded(text)
    if not words:
        raise _wrong("speaker: has no name", "Write it as speaker:holt")
    return Speaker(words)


def _party(text: str) -> Node:
    words = folded(text)
    if not words:
        raise _wrong("party: has no name", "Write it as party:holt")
    return All(tuple(Facet((f"p{word}",)) for word in words))


def _language(text: str) -> Node:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", text):
        raise _wrong(f"{text!r} is no language", "Write it as language:ru")
    return Facet((f"l{primary(text)}",))


def _in(text: str) -> Node:
    kind = KINDS.get(text.lower())
    if kind is None:
        raise _wrong(f"in:{text}", "Write in:transcripts, in:dossiers or in:calls")
    return Facet((f"k{kind}",))


def _only(text: str) -> Node:
    if text.lower() not in ("corrected", "machine"):
        raise _wrong(f"only:{text}", "Write only:corrected or only:machine")
    return Facet((f"x{text.lower()}",))


def _call(text: str) -> Node:
    found = parse_display(text)
    if found is None:
        raise _wrong(f"{text!r} is no call", "Write it as call:7, call:2026-11-24/0007 or call:T061")
    return Facet((f"n{found[1]}".replace("-", "t"),))


_OPEN = date(1, 1, 1), date(9999, 12, 31)


def _day(text: str, *, end: bool) -> date:
    try:
        made = edtf.parse(text)
    except FormatError as error:
        raise _wrong(f"{text!r} is no date", "Write it as 2026-11-24, 2026-11 or 2026") from error
    bound = made.end if end else made.start
    if bound is None:
        return _OPEN[end]
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=(bound - (1 if end else 0)) // NS)
    return moment.date()


def _from(text: str) -> Node:
    return Facet(days(_day(text, end=False), _OPEN[1]))


def _to(text: str) -> Node:
    return Facet(days(_OPEN[0], _day(text, end=True)))


def _date(text: str) -> Node:
    first, dots, last = text.partition("..")
    if dots:
        return Facet(days(_day(first, end=False), _day(last, end=True)))
    return Facet(days(_day(text, end=False), _day(text, end=True)))


EARLIEST, LATEST = 1870, 2149
"""Years of calls: nobody telephoned before."""


def days(first: date, last: date) -> tuple[str, ...]:
    """The facets of a span of days: whole years, whole months, and the days that are left."""
    first, last = max(first, date(EARLIEST, 1, 1)), min(last, date(LATEST, 12, 31))
    found: list[str] = []
    day = first
    while day <= last:
        if day.month == day.day == 1 and date(day.year, 12, 31) <= last:
            found.append(f"y{day.year:04d}")
            day = date(day.year + 1, 1, 1)
            continue
        following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        if day.day == 1 and following - timedelta(days=1) <= last:
            found.append(f"m{day.year:04d}{day.month:02d}")
            day = following
            continue
        found.append(f"d{day.year:04d}{day.month:02d}{day.day:02d}")
        day += timedelta(days=1)
    return tuple(found) or ("dnone",)


_FIELDS: dict[str, Callable[[str], Node]] = {
    "speaker": _speaker, "party": _party, "language": _language, "lang": _language, "from": _from, "to": _to,
    "date": _date, "in": _in, "only": _only, "call": _call,
}  # fmt: skip


def parse(text: str) -> Node:
    """Read a question. UsageError names what is wrong and what to write."""
    node = _Parser(text).parse()
    if not _positive(node):
        raise _wrong("it says only what is not to be found", "Add a word, a speaker or a date that is")
    return node


def _positive(node: Node) -> bool:
    if isinstance(node, Not):
        return False
    if isinstance(node, All):
        return any(_positive(item) for item in node.items)
    if isinstance(node, AnyOf):
        return all(_positive(item) for item in node.items)
    return True


@dataclass(slots=True)
class Compiler:
    """Makes an FTS5 expression. `forms` gives the stems of words that begin so, in any language."""

    languages: Sequence[str]
    forms: Callable[[str], Sequence[tuple[str, str]]]
    _forms: dict[str, Sequence[tuple[str, str]]] = field(default_factory=dict)

    def compile(self, node: Node) -> str:
        """The expression; UsageError where it would be too long."""
        if isinstance(node, Term):
            return self._joined(f"stems : {one}" for one in self._phrases(node))
        if isinstance(node, Near):
            return self._joined(self._nears(node))
        if isinstance(node, Facet):
            return self._joined(f'facets : "{word}"' for word in node.words)
        if isinstance(node, Speaker):
            return " AND ".join(f'facets : "s{word}"' for word in node.words)
        if isinstance(node, AnyOf):
            return " OR ".join(f"({self.compile(item)})" for item in node.items)
        if isinstance(node, All):
            return self._all(node)
        raise _wrong("NOT stands alone", "Put what is to be found before it")

    def _all(self, node: All) -> str:
        wanted = [item for item in node.items if not isinstance(item, Not)]
        text = " AND ".join(f"({self.compile(item)})" for item in wanted)
        for item in node.items:
            if isinstance(item, Not):
                text = f"({text}) NOT ({self.compile(item.item)})"
        return text

    def _joined(self, parts: Iterator[str]) -> str:
        found = list(dict.fromkeys(parts))
        return " OR ".join(f"({one})" for one in found) if len(found) > 1 else found[0]

    def _phrases(self, term: Term) -> list[str]:
        """The term in each language as a phrase of FTS5."""
        return list(dict.fromkeys(made for language in self.languages for made in self._of(term, language)))

    def _of(self, term: Term, language: str) -> list[str]:
        head = [stem(word, language) for word in (term.words[:-1] if term.prefix else term.words)]
        if not term.prefix:
            return [_quoted(head)]
        begins = "".join(folded(term.words[-1]))
        if begins not in self._forms:
            self._forms[begins] = self.forms(begins)
        if len(self._forms[begins]) > MOST_FORMS:  # so many words begin so that their stems do too
            return [f"{_quoted([*head, begins])} *"]
        stems = sorted({s for s, spoken in self._forms[begins] if spoken == language})
        return [_quoted([*head, one]) for one in stems] or ['"\x7f"']

    def _nears(self, near: Near) -> Iterator[str]:
        for language in self.languages:
            combined: list[list[str]] = [[]]
            for term in near.terms:
                combined = [[*before, one] for before in combined for one in self._of(term, language)]
                if len(combined) > MOST_FORMS:
                    raise _wrong("too many words begin so", "Give more letters before *")
            for some in combined:
                yield f"stems : NEAR({' '.join(some)}, {near.distance})"


def _quoted(words: Sequence[str]) -> str:
    return '"' + " ".join(words) + '"'
