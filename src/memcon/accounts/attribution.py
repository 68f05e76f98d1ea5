"""Proposals of who is said to have said what, by patterns of English and Russian. Never more than proposals.

A statement is attributed by a reporting verb, by *according to*, or by a quotation with its speaker.
That two sides discussed something, or agreed to do it, attributes no statement to anybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.accounts.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_VERBS = """
said says stated declares declared announced added adds replied replies answered explained wrote
writes argued argues insisted insists maintained claimed claims asserted asserts alleged accused
accuses acknowledged acknowledges admitted admits conceded concedes confirmed confirms denied denies
rejected rejects dismissed dismisses noted notes remarked observed commented indicated indicates
emphasised emphasized emphasises emphasizes stressed stresses underlined underlines underscored
highlighted reiterated reiterates reaffirmed reaffirms affirmed expressed expresses voiced urged
urges warned warns suggested suggests told tells informed hailed praised welcomed welcomes condemned
condemns recalled reported retracted withdrew tweeted concluded promised pledged threatened demanded
disputed lamented complained saying
"""
_PHRASES = (
    r"called (?:for|on|upon)|(?:updated|briefed) (?:him|her|them|the)|points? (?:to|out)|pointed (?:to|out)|"
    r"drew attention|agreed that|made (?:it )?clear|put it|believes? that|spoke in favou?r|"
    r"raised (?:his|her|their|the|concerns?)|reports that|(?:is|was|are) quoted as"
)
_EN_VERB = re.compile(rf"\b(?:{'|'.join(_VERBS.split())}|{_PHRASES})\b")
_EN_FRAME = re.compile(
    r"\b(?:according to|in the words of|citing|cited|quoting|as reported by|reported by|"
    r"(?:is|are|was|were) (?:said|reported|alleged|believed|understood) to)\b",
    re.I,
)
_RU_VERB = re.compile(
    r"\b(?:сообщил\w*|сообща\w+т|заявил\w*|заявля\w+т|сказал\w*|говорит|отметил\w*|отмеча\w+т|подчеркнул\w*|"
    r"подч[её]ркива\w+т|добавил\w*|пояснил\w*|указал\w*|указыва\w+т|напомнил\w*|призвал\w*|"
    r"предупредил\w*|"
    r"опроверг\w*|отрица\w+|признал\w*|подтвердил\w*|считает|считают|полагает|полагают|утвержда\w+т|утверждал\w*|"
    r"написал\w*|пишет|пишут|рассказал\w*|выразил\w*|высказал\w*|информировал\w*|проинформировал\w*|потребовал\w*|"
    r"обвинил\w*|приветствовал\w*|осудил\w*|цитиру\w+т)\b",
    re.I,
)
_RU_FRAME = re.compile(
    r"\b(?:по словам|по данным|по мнению|по сообщению|со ссылкой на|"
    r"согласно (?:заявлению|сообщению|данным))\b",
    re.I,
)
_SUBJECT_STOP = re.compile(r"\b(?:that|which|who|whose|when|where|because|if)\b|[;:]", re.I)
_NOUN_BEFORE = re.compile(r"\b(?:the|a|an|its|his|her|their|no|this|of)\s+$", re.I)
_PASSIVE_BEFORE = re.compile(r"\b(?:be|been|being|was|were|is|are|not|to)\s+(?:\w+ly\s+)?$", re.I)
_QUOTE = re.compile(r"[“\"«]([^”\"»]{3,})[”\"»]")
_STANCES = (
    ("denies", re.compile(r"den(?:ied|ies)|reject\w*|dismiss\w*|disputed|опроверг\w*|отрица\w+", re.I)),
    ("retracts", re.compile(r"retract\w*|withdrew|took back|отозвал\w*", re.I)),
    ("suggests", re.compile(r"suggest\w*|believ\w*|alleged\w*|считает|полагает|предположил\w*", re.I)),
)
_LEAD = re.compile(r"^(?:as|but|and|also|later|then|как|также|но|и)\s+", re.I)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A sentence that attributes a statement, characters [start, end); `who` in its own words, where found.

    `said` is the quotation, empty where there is none; `by_what` the words that show it.
    """

    source: int
    start: int
    end: int
    text: str
    who: str
    stance: str
    by_what: str
    said: str = ""


def proposals(source: int, text: str) -> list[Proposal]:
    """One proposal for each sentence that attributes a statement."""
    found = []
    for start, end in sentences(text):
        one = _proposal(source, start, text[start:end])
        if one is not None:
            found.append(one)
    return found


def _proposal(source: int, start: int, sentence: str) -> Proposal | None:
    mark = _mark(sentence)
    if mark is None:
        return None
    quoted = _QUOTE.search(sentence)
    stance = next((name for name, pattern in _STANCES if pattern.match(mark[0])), "")
    stance = stance or ("quotes" if quoted else "asserts")
    return Proposal(
        source,
        start,
        start + len(sentence),
        sentence,
        _speaker(sentence, mark),
        stance,
        mark[0],
        quoted[1] if quoted else "",
    )


def _mark(sentence: str) -> re.Match[str] | None:
    """What shows that somebody is said to have said it: a frame, or a reporting verb with a subject."""
    for frame in (_EN_FRAME, _RU_FRAME):
        match = frame.search(sentence)
        if match:
            return match
    return next(_verbs(sentence, _EN_VERB.finditer(sentence)), None) or _RU_VERB.search(sentence)


def _verbs(sentence: str, matches: Iterable[re.Match[str]]) -> Iterator[re.Match[str]]:
    for match in matches:
        before = sentence[: match.start()]
        if _NOUN_BEFORE.search(before) or _PASSIVE_BEFORE.search(before):
            continue  # "the report", "was condemned": a noun, a passive
        yield match


def _speaker(sentence: str, mark: re.Match[str]) -> str:
    """The words that name the speaker: after a frame or an inverted verb, otherwise before the verb."""
    after = sentence[mark.end() :].strip(" ,")
    framed = _EN_FRAME.fullmatch(mark[0]) or _RU_FRAME.fullmatch(mark[0])
    before = sentence[: mark.start()].rstrip()
    inverted = before.endswith(("”", '"', "»", ",", "—", "-"))
    if framed or (inverted and after):
        return re.split(r"[,.;:“\"«—]|\bthat\b|\bчто\b", after)[0].strip()[:200]
    clause = re.split(r"[,;:”\"»—]", before)[-1]
    stop = list(_SUBJECT_STOP.finditer(clause))
    said = _LEAD.sub("", (clause[stop[-1].end() :] if stop else clause).strip() + " ").strip()
    return (said or re.split(r"[,.;:]", after)[0].strip())[:200]
