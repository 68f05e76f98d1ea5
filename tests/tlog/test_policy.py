from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tlog.conftest import ORIGIN, TestKey, signed

from memcon.errors import FormatError
from memcon.tlog.checkpoint import Checkpoint, CheckpointError
from memcon.tlog.encoding import PublicKeyError
from memcon.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    Signature,
    SignatureError,
    VerifierKey,
)
from memcon.tlog.policy import MAX_LINES, MAX_POLICY_SIZE, Group, Policy, PolicyError, Witness

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

LOG, LOG_PQ = TestKey(ORIGIN, ED25519, 90), TestKey(ORIGIN, COSIGNATURE_MLDSA44, 90)
W = [TestKey(f"w{n}.example", COSIGNATURE_ED25519, n + 1) for n in range(7)]
PQ = TestKey("w0.example/pq", COSIGNATURE_MLDSA44, 1)
TEXT = Checkpoint(ORIGIN, 300, b"r" * 32).to_bytes()


def lines(count: int) -> str:
    return "".join(f"witness w{n} {W[n].key}\n" for n in range(count))


def parsed(text: str, *, overlap: bool = True) -> Policy:
    return Policy.parse(text.encode(), overlap=overlap)


FLAT = parsed(f"log {LOG.key}\nlog {LOG_PQ.key}\n{lines(3)}group all3 2 w0 w1 w2\nquorum all3\n")
OPERATORS = parsed(
    f"log {LOG.key}\n{lines(3)}witness w0pq {PQ.key}\n"
    "group op0 any w0 w0pq\ngroup all3 2 op0 w1 w2\nquorum all3\n"
)


WORDS = ["log", "witness", "group", "quorum", "none", "any", "all", "2", "#", "\n", "w0", "w1", "g"]
WORDS += ["\t", "\x00", str(W[0].key), str(W[1].key), str(LOG.key)]


class TestFormat:
    def test_a_whole_policy(self) -> None:
        policy = parsed(
            f"# who watches\n\n \t# indented\nlog {LOG.key} https://log.example/\n"
            f"\twitness  one\t{W[0].key}   https://w.example/ \nwitness two {W[1].key}\n"
            f"witness three {W[2].key}\ngroup most 2 one two three\ngroup whole all most\nquorum whole"
        )
        assert [(log.key, log.url) for log in policy.logs] == [(LOG.key, "https://log.example/")]
        assert [w.name for w in policy.witnesses] == ["one", "two", "three"]
        assert policy.witnesses[0].url == "https://w.example/"
        assert policy.witnesses[1].url is None
        assert policy.quorum == Group("whole", 1, (Group("most", 2, policy.witnesses),))

    def test_any_all_and_numbers(self) -> None:
        text = (
            lines(6) + "group a any w0\ngroup b all w1 w2\ngroup c 2 w3 w4 w5\ngroup d all a b c\nquorum d\n"
        )
        quorum = parsed(text).quorum
        assert isinstance(quorum, Group)
        assert [m.threshold for m in quorum.members if isinstance(m, Group)] == [1, 2, 2]

    def test_names_are_octets(self) -> None:
        kelvin, k, raw = "\u212a".encode(), b"K", b"\xff\xfe"
        text = b"".join(
            b"witness %s %s\n" % (n, str(w.key).encode()) for n, w in zip((kelvin, k, raw), W, strict=False)
        )
        policy = Policy.parse(text + b"group g 2 \xff\xfe K \xe2\x84\xaa\nquorum g\n")
        assert [w.name for w in policy.witnesses] == ["\u212a", "K", "\udcff\udcfe"]
        with pytest.raises(PolicyError, match="unknown member"):
            Policy.parse(text + b"group g 1 \xff\nquorum g\n")

    def test_a_no_break_space_does_not_divide(self) -> None:
        assert parsed(f"witness a\u00a0b {W[0].key}\nquorum a\u00a0b\n").witnesses[0].name == "a\u00a0b"

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "0 quorum lines"),
            ("quorum none\nquorum none\n", "2 quorum lines"),
            ("quorum\n", "line 1: a quorum line has one name"),
            ("quorum none none\n", "one name"),
            ("quorum w0\n" + lines(1), "line 1: unknown quorum 'w0'"),
            ("trust me\n", "unknown keyword 'trust'"),
            ("Quorum none\n", "unknown keyword 'Quorum'"),
            ("log\n", "a log line has"),
            (f"log {LOG.key} url more\n", "a log line has"),
            ("witness w0\n", "a witness line has"),
            (f"witness w0 {W[0].key} url more\n", "a witness line has"),
            (f"log {W[0].key}\n", "type 04 is no log's"),
            (f"witness w {LOG.key}\n", "type 01 is no witness's"),
            (f"log {LOG.key}\nlog {LOG.key}\n", "line 2: this log's key stands in an earlier line"),
            (lines(1) + lines(1).replace("w0 ", "again "), "witness's key stands"),
            (lines(1) + f"witness w0 {W[1].key}\n", "the name 'w0' is taken"),
            (f"witness none {W[0].key}\n", "the name 'none' is taken"),
            (lines(1) + "group w0 any w0\n", "the name 'w0' is taken"),
            (lines(1) + "group g any w0\ngroup g any g\n", "the name 'g' is taken"),
            (lines(1) + "group none any w0\n", "the name 'none' is taken"),
            ("group g any\n", "a group line has"),
            (lines(1) + "group g 1\n", "a group line has"),
            (lines(1) + "group g any none\n", "unknown member 'none'"),
            ("group g any w0\n" + lines(1), "unknown member 'w0'"),
            ("group g any g\n", "unknown member 'g'"),
            (lines(1) + "group g 2 w0\n", "2 of 1 members"),
            (lines(2) + "group g 2 w0 w0\n", "already a member"),
            (lines(2) + "group g any w0 w1\ngroup h all g w0\n", "'w0' is already a member"),
            (lines(1) + "group g 0 w0\n", "threshold '0'"),
            (lines(1) + "group g 01 w0\n", "threshold '01'"),
            (lines(1) + "group g -1 w0\n", "threshold '-1'"),
            (lines(1) + "group g \u0661 w0\n", "threshold"),
            (lines(1) + "group g 99999 w0\n", "threshold '99999'"),
            (lines(1) + "group g most w0\n", "threshold 'most'"),
            ("quorum none\r\n", "line 1: control character"),
            ("quorum none\x7f\n", "control character"),
        ],
    )
    def test_negative_vectors(self, text: str, problem: str) -> None:
        with pytest.raises(PolicyError, match=problem):
            parsed(text, overlap=False)

    def test_a_bad_or_weak_key(self) -> None:
        with pytest.raises(PublicKeyError):
            parsed("log example\nquorum none\n", overlap=False)
        with pytest.raises(PublicKeyError, match="key id"):
            parsed(f"log {str(LOG.key).replace(ORIGIN, 'other')}\nquorum none\n", overlap=False)

        weak = VerifierKey(ORIGIN, ED25519, b"\1" + bytes(31))
        with pytest.raises(PublicKeyError, match="small order"):
            parsed(f"log {weak}\nquorum none\n", overlap=False)

    def test_limits(self) -> None:
        with pytest.raises(PolicyError, match="longer than"):
            Policy.parse(bytes(MAX_POLICY_SIZE + 1))
        groups = "group g0 any w0\n" + "".join(f"group g{n} all g{n - 1}\n" for n in range(1, MAX_LINES))
        assert parsed(lines(1) + groups.rpartition("group")[0] + "quorum g9\n").quorum is not None
        with pytest.raises(PolicyError, match="more than 256"):
            parsed(lines(1) + groups + "quorum g9\n")

    @given(
        st.binary(max_size=60)
        | st.lists(
            st.sampled_from(WORDS),
            max_size=24,
        ).map(lambda words: " ".join(words).encode())
    )
    def test_hostile_bytes(self, data: bytes) -> None:
        try:
            policy = Policy.parse(data)
        except FormatError:
            return
        assert policy.quorum is not None


def tree(count: int, chance: random.Random) -> Witness | Group:
    """A random tree over `count` witnesses, without groups that stand for one operator."""
    names, numbers = iter(range(1000)), iter(range(1000))

    def build(size: int) -> Witness | Group:
        if size == 1:
            n = next(numbers)
            return Witness(f"w{n}", W[n].key)
        parts = []
        left = size
        while left:
            part = chance.randint(1, min(left, size - 1))
            parts.append(build(part))
            left -= part
        needed = chance.randint(1, len(parts))
        group = Group(f"g{next(names)}", needed, tuple(parts))
        return Group(group.name, len(parts), group.members) if group.is_operator() else group

    return build(count)


TREES = st.builds(tree, st.integers(1, 7), st.randoms(use_true_random=False))


def quorums(policy: Policy, names: Iterable[str]) -> list[frozenset[str]]:
    everyone = list(names)
    sets = (frozenset(c) for size in range(len(everyone) + 1) for c in combinations(everyone, size))
    return [chosen for chosen in sets if policy.satisfied(chosen)]


class TestOverlap:
    @pytest.mark.parametrize(
        ("rules", "pair"),
        [
            ("quorum none\n", "asks no witness"),
            ("group g any w0 w1\nquorum g\n", "'w0' and 'w1'"),
            ("group g 1 w0 w1 w2\nquorum g\n", "'w0' and 'w1'"),
            ("group g 2 w0 w1 w2 w3\nquorum g\n", "'w0, w1' and 'w2, w3'"),
            ("group a 1 w0 w1\ngroup b 1 w2 w3\ngroup c 1 a b\nquorum c\n", "disjoint"),
            ("group a 2 w0 w1 w2 w3\ngroup b 2 w4 w5\ngroup c 1 a b\nquorum c\n", "'w0, w1' and 'w2, w3'"),
            ("group a 2 w0 w1 w2 w3\ngroup q 2 a w4 w5\nquorum q\n", "'w0, w1, w4' and 'w2, w3, w5'"),
        ],
    )
    def test_policies_whose_quorums_can_be_disjoint(self, rules: str, pair: str) -> None:
        with pytest.raises(PolicyError, match=pair):
            parsed(lines(7) + rules)
        parsed(lines(7) + rules, overlap=False)

    @pytest.mark.parametrize(
        "rules",
        [
            "quorum w0\n",
            "group g all w0 w1\nquorum g\n",
            "group g 2 w0 w1 w2\nquorum g\n",
            "group a 2 w0 w1 w2\ngroup b any w3 w4 w5\ngroup c all a b\nquorum c\n",  # the specification's
            "group a any w0 w1\ngroup b all a\nquorum b\n",
            "group a any w0 w1\ngroup b any w2 w3\ngroup c any w4 w5\ngroup d 2 a b c\nquorum d\n",
            "group a 2 w0 w1 w2 w3\ngroup q 3 a w4 w5\nquorum q\n",
        ],
    )
    def test_policies_whose_quorums_overlap(self, rules: str) -> None:
        parsed(lines(7) + rules)

    @pytest.mark.parametrize(
        "rules",
        [
            "group g 2 w0 w1 own\nquorum g\n",
            "group a any w0 w1\ngroup g 2 a own w2\nquorum g\n",
            "group a all w0 w1\ngroup b all own w2\ngroup g all a b\nquorum g\n",
        ],
    )
    def test_one_witness_s_keys_count_as_one(self, rules: str) -> None:
        """Two keys of w0.example in a flat policy of two of three: it alone would be a quorum."""
        own = TestKey("w0.example", COSIGNATURE_MLDSA44, 1)
        text = f"{lines(3)}witness own {own.key}\n"
        with pytest.raises(PolicyError, match=r"'w0' and 'own' are keys of one witness, 'w0\.example'"):
            parsed(text + rules)
        parsed(text + rules, overlap=False)
        parsed(text + "group w any w0 own\ngroup g 2 w w1 w2\nquorum g\n")
        parsed(text + "group g 2 w0 w1 w2\nquorum g\n")

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_the_answer_is_the_one_by_trying_all_sets(self, data: st.DataObject) -> None:
        """Over policies without operators, where 'disjoint' has its plain meaning."""
        policy = Policy((), (), data.draw(TREES))
        names = witnesses_in(policy)
        sets = quorums(policy, names)
        apart = any(not one & other for one in sets for other in sets)
        try:
            policy.check_overlap()
            refused = False
        except PolicyError:
            refused = True
        assert refused == apart

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_blocking_is_the_one_by_trying_all_sets(self, data: st.DataObject) -> None:
        policy = Policy((), (), data.draw(TREES))
        names = witnesses_in(policy)
        chosen = data.draw(st.frozensets(st.sampled_from(names)))
        assert policy.blocking(chosen) == (not policy.satisfied(set(names) - chosen))


def witnesses_in(policy: Policy) -> list[str]:
    found, todo = [], [policy.quorum]
    while todo:
        node = todo.pop()
        if isinstance(node, Group):
            todo.extend(node.members)
        elif node is not None:
            found.append(node.name)
    return found


class TestTimes:
    def test_quorum_time_is_the_kth_earliest(self) -> None:
        assert FLAT.quorum_time([("w0", 30), ("w1", 10), ("w2", 20)]) == 20
        assert FLAT.quorum_time([("w0", 30), ("w1", 10)]) == 30
        assert FLAT.quorum_time([("w0", 30)]) is None
        assert FLAT.quorum_time([]) is None

    def test_a_witness_counts_once_by_its_earliest(self) -> None:
        assert FLAT.quorum_time([("w0", 30), ("w0", 10), ("w0", 20)]) is None
        assert FLAT.quorum_time([("w0", 30), ("w0", 10), ("w1", 20)]) == 20

    def test_zero_and_strangers_count_for_nothing(self) -> None:
        assert FLAT.quorum_time([("w0", 0), ("w1", 10), ("stranger", 5)]) is None
        assert FLAT.age_time([("w0", 0), ("stranger", 5)]) is None

    def test_an_operator_counts_once(self) -> None:
        assert OPERATORS.quorum_time([("w0", 10), ("w0pq", 20)]) is None
        assert OPERATORS.quorum_time([("w0", 30), ("w0pq", 20), ("w1", 10)]) == 20
        assert OPERATORS.satisfied({"w0pq", "w2"})
        assert not OPERATORS.satisfied({"w0", "w0pq"})

    def test_age_is_the_f_plus_first_latest(self) -> None:
        # 2 of 3: f = 0, the latest. 3 of 4: f = 1, the second latest.
        assert FLAT.age_time([("w0", 30), ("w1", 10), ("w0", 20)]) == 30
        four = parsed(lines(4) + "group g 3 w0 w1 w2 w3\nquorum g\n")
        assert four.age_time([("w0", 30), ("w1", 10), ("w2", 20)]) == 20
        assert four.age_time([("w0", 30)]) is None
        assert OPERATORS.age_time([("w0", 10), ("w0pq", 20), ("w1", 5)]) == 20
        everyone = parsed(lines(3) + "group g all w0 w1 w2\nquorum g\n")
        assert everyone.age_time([("w0", 30), ("w1", 10), ("w2", 20)]) == 10

    def test_blocking_sets(self) -> None:
        assert FLAT.blocking({"w0", "w1"})
        assert not FLAT.blocking({"w0"})
        assert OPERATORS.blocking({"w0pq", "w1"})  # one key speaks for its operator
        assert not OPERATORS.blocking({"w0", "w0pq"})
        assert parsed(lines(1) + "quorum w0\n").blocking({"w0"})

    def test_blocking_time_is_when_the_last_needed_witness_spoke(self) -> None:
        assert FLAT.blocking_time([("w0", 30), ("w1", 10), ("w2", 20)]) == 20
        assert FLAT.blocking_time([("w0", 30), ("w1", 10), ("w0", 40)]) == 10
        assert FLAT.blocking_time([("w0", 30), ("w1", 0)]) is None
        assert FLAT.blocking_time([]) is None
        assert OPERATORS.blocking_time([("w0", 50), ("w0pq", 40), ("w1", 30)]) == 30

    def test_at_the_top_any_means_several_operators(self) -> None:
        loose = parsed(lines(2) + "group g any w0 w1\nquorum g\n", overlap=False)
        assert loose.satisfied({"w1"})
        assert not loose.blocking({"w0"})
        assert loose.blocking({"w0", "w1"})

    def test_a_policy_without_witnesses(self) -> None:
        none = parsed(f"log {LOG.key}\nquorum none\n", overlap=False)
        assert none.satisfied([])
        assert none.quorum_time([]) is None
        assert none.age_time([]) is None
        assert not none.blocking([])


class TestEvaluate:
    def test_log_and_quorum(self) -> None:
        note = signed(TEXT, [LOG, LOG_PQ]).add(W[0].sign(TEXT, 30), W[2].sign(TEXT, 20), W[0].sign(TEXT, 40))
        verdict = FLAT.evaluate(note)
        assert verdict.checkpoint.size == 300
        assert verdict.log_keys == (LOG.key, LOG_PQ.key)
        assert verdict.stamps == (("w0", 30), ("w2", 20), ("w0", 40))
        assert verdict.quorum_time == 30

    def test_no_quorum_is_no_error(self) -> None:
        assert FLAT.evaluate(signed(TEXT, [LOG, W[1]], 5)).quorum_time is None

    def test_cosignatures_alone_are_not_enough(self) -> None:
        with pytest.raises(SignatureError, match="not signed by a log of the policy"):
            FLAT.evaluate(signed(TEXT, W[:3], 5))

    def test_a_log_signs_its_own_origin_only(self) -> None:
        text = Checkpoint("other.example", 1, b"r" * 32).to_bytes()
        with pytest.raises(SignatureError, match="not signed"):
            FLAT.evaluate(signed(text, [LOG, LOG_PQ], 5))

    def test_a_bad_cosignature_rejects_the_note(self) -> None:
        bad = Signature(W[0].name, W[0].key.key_id, bytes(72))
        with pytest.raises(SignatureError, match=r"at w0\.example"):
            FLAT.evaluate(signed(TEXT, [LOG]).add(bad))

    def test_no_checkpoint(self) -> None:
        with pytest.raises(CheckpointError):
            FLAT.evaluate(signed(b"text\n", [LOG]))

    def test_a_stranger_s_cosignature_is_ignored(self) -> None:
        stranger = Signature("stranger", b"abcd", b"whatever")
        assert FLAT.evaluate(Note(TEXT, (stranger, LOG.sign(TEXT)))).stamps == ()
