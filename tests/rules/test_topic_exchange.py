"""Topic exchanges: patterns of words, `*` and `#`."""

from __future__ import annotations

import itertools

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import get_all
from tests.rules._routing import bound_queue, is_routed

# pattern: (keys that it matches, keys that it does not match)
TABLE: dict[str, tuple[list[str], list[str]]] = {
    "": ([""], ["a", ".", " "]),
    "a": (["a"], ["", "b", "A", "ab", "ba", "aa", "a.b", "b.a", "a.", ".a", " a", "*", "#"]),
    "a.b": (["a.b"], ["a", "b", "ab", "axb", "a b", "a..b", "a.b.", ".a.b", "a.b.c", "a.B"]),
    "*": (["a", "word", "*", "#", " ", "é☃"], ["", "a.b", ".", "a.", ".a"]),
    "#": (["", "a", ".", "..", "a.b", "a.b.c.d.e", ".a", "a.", "a..b", "#", "*"], []),
    "*.*": (["a.b", ".", "a.", ".a", "*.#"], ["", "a", "a.b.c", "..", "a..b"]),
    "*.*.*": (["a.b.c", "..", "a..b", "a..", "..a"], ["", "a", "a.b", ".", "a.b.c.d", "..."]),
    "a.*": (["a.b", "a.", "a.a", "a.*", "a.#"], ["", "a", "b.a", "a.b.c", "a..", "ab.c", ".a"]),
    "*.a": (["b.a", ".a", "a.a"], ["", "a", "a.b", "c.b.a", "..a", "b.aa"]),
    "a.*.b": (["a.x.b", "a..b", "a.b.b", "a.a.b"], ["a.b", "a.x.y.b", "a...b", "ab", "a.x", "x.b", "a.x.b.c"]),
    "*.a.*": (["x.a.y", ".a.", "a.a.a"], ["a", "x.a", "a.y", ".a", "x.y.a", "x.x.a.y"]),
    "a.#": (["a", "a.b", "a.b.c", "a.", "a..", "a..b", "a.#", "a.a"], ["", "b", "ab", "ab.c", "b.a", ".a", ".", "A.b"]),
    "#.a": (["a", "b.a", "c.b.a", ".a", "..a", "a.a", "b..a"], ["", "b", "ba", "a.b", "a.", ".", "c.ba"]),
    "a.#.b": (
        ["a.b", "a.x.b", "a.x.y.b", "a..b", "a...b", "a.b.b", "a.a.b"],
        ["a", "b", "ab", "", "a.x", "x.b", "b.a"],
    ),
    "#.a.#": (["a", "x.a", "a.x", "x.a.y", "x.y.a.y.z", ".a.", "a.", ".a"], ["", "b", "aa", "x.b.y", "ab.ba", "."]),
    "#.#": (["", "a", "a.b", "a.b.c", ".", ".."], []),
    "#.#.#": (["", "a", "a.b.c.d", "."], []),
    "*.#": (["a", "a.b", "a.b.c", ".", "a.", ".a"], [""]),
    "#.*": (["a", "a.b", "a.b.c", ".", "a.", ".a"], [""]),
    "*.#.*": (["a.b", "a.b.c", ".", ".."], ["", "a"]),
    "#.*.#": (["a", "a.b", "a.b.c", "."], [""]),
    "*.*.#": (["a.b", "a.b.c", ".", "a.", ".a"], ["", "a"]),
    "#.a.#.b.#": (["a.b", "x.a.y.b.z", "a.a.b.b", "b.a.b"], ["a", "b", "b.a", "ab", "", "x.b.y.a.z"]),
    "#.a.b": (["a.b", "x.a.b", "a.b.a.b", "a.a.b", "a.b.x.a.b"], ["a", "b", "a.b.x", "a.x.b"]),
    "#.a.*.b.#": (["a.x.b", "z.a.x.b.z", "a.a.x.b", "a.a.b", "a.b.b"], ["a.b", "a.x.y.b", "a.x"]),
    "#.a.#.a": (["a.a", "a.x.a", "x.a.y.a", "a.a.a"], ["a", "a.a.b", "x.a", ""]),
    "a.*.#": (["a.b", "a.b.c", "a.", "a.."], ["a", "", "b.a"]),
    "a.#.*": (["a.b", "a.b.c", "a.", "a.."], ["a", "", "b.a"]),
    "a.*.#.*.b": (["a.x.y.b", "a.x.z.y.b", "a...b"], ["a.b", "a.x.b", "a..b"]),
    ".": (["."], ["", "a", "a.b", "..", "a."]),
    "..": ([".."], ["", ".", "...", "a.b.c"]),
    "a.": (["a."], ["a", "a..", "a.b", ".a", "."]),
    ".a": ([".a"], ["a", "..a", "b.a", "a.", "."]),
    "a..b": (["a..b"], ["a.b", "a...b", "a.x.b"]),
    ".*": ([".", ".a"], ["", "a", "a.", ".."]),
    "*.": ([".", "a."], ["", "a", ".a", ".."]),
    ".#": ([".", ".a", "..", ".a.b"], ["", "a", "a.", "a.b"]),
    "#.": ([".", "a.", "..", "a.b."], ["", "a", ".a", "a.b"]),
    "a*": (["a*"], ["a", "ab", "a.b", "aa"]),
    "*a": (["*a"], ["a", "ba", "b.a"]),
    "a#": (["a#"], ["a", "ab", "a.b"]),
    "#a.b": (["#a.b"], ["a.b", "xa.b", "x.a.b"]),
    "**": (["**"], ["", "a", "ab", "a.b", "*"]),
    "##": (["##"], ["", "a", "a.b", "#"]),
    "*#": (["*#"], ["", "a", "a.b"]),
    "a.**.b": (["a.**.b"], ["a.x.b", "a.b"]),
    "a+": (["a+"], ["a", "aa"]),
    "a?.b": (["a?.b"], ["a.b", ".b"]),
    "(a|b)": (["(a|b)"], ["a", "b", "a|b"]),
    "[ab]": (["[ab]"], ["a", "b"]),
    "^a$": (["^a$"], ["a"]),
    "\\w.\\*": (["\\w.\\*"], ["a.b", "w.*"]),
    "a.{2}": (["a.{2}"], ["a.b", "a."]),
    "a\n": (["a\n"], ["a"]),
    "é.*": (["é.☃", "é."], ["e.☃", "É.☃", "é"]),
    "Été": (["Été"], ["été"]),
}


@pytest.mark.parametrize("pattern", TABLE)
def test_a_pattern_matches_these_keys_alone(channel: BlockingChannel, pattern: str) -> None:
    matching, others = TABLE[pattern]
    channel.exchange_declare("x", "topic")
    bound_queue(channel, "q", "x", pattern)
    for key in matching + others:
        channel.basic_publish("x", key, key.encode())
    assert [body.decode() for body in get_all(channel, "q")] == matching


def test_patterns_on_one_exchange_do_not_disturb_each_other(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "topic")
    for pattern in TABLE:
        bound_queue(channel, f"q{pattern!r}", "x", pattern)
    keys = dict.fromkeys(itertools.chain.from_iterable(one + other for one, other in TABLE.values()))
    for key in keys:
        channel.basic_publish("x", key, key.encode())
    for pattern, (matching, others) in TABLE.items():
        found = [body.decode() for body in get_all(channel, f"q{pattern!r}")]
        assert len(found) == len(set(found))
        assert set(matching) <= set(found)
        assert not set(others) & set(found)


def test_a_queue_with_many_matching_patterns_gets_one_copy(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "topic")
    for pattern in ("a.b.c", "#", "*.*.*", "a.#", "#.c", "#.b.#", "a.*.c", "#.#"):
        bound_queue(channel, "q", "x", pattern)
    channel.basic_publish("x", "a.b.c", b"once")
    assert get_all(channel, "q") == [b"once"]


def test_several_queues_with_one_pattern_get_a_copy_each(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "topic")
    for name in ("q1", "q2"):
        bound_queue(channel, name, "x", "a.#")
    channel.basic_publish("x", "a.b", b"m")
    assert get_all(channel, "q1") == get_all(channel, "q2") == [b"m"]


@pytest.mark.parametrize("removed", ["a", "a.b", "a.b.c", "a.*", "a.#", "#"])
def test_unbinding_one_pattern_keeps_those_that_begin_alike(channel: BlockingChannel, removed: str) -> None:
    keys = {"a": "a", "a.b": "a.b", "a.b.c": "a.b.c", "a.*": "a.x", "a.#": "a.x.y", "#": "z"}
    channel.exchange_declare("x", "topic")
    for pattern in keys:
        bound_queue(channel, pattern, "x", pattern)
    channel.queue_unbind(removed, "x", removed)
    for key in keys.values():
        channel.basic_publish("x", key, key.encode())
    found = {pattern: get_all(channel, pattern) for pattern in keys}
    assert found.pop(removed) == []
    assert all(keys[pattern].encode() in bodies for pattern, bodies in found.items())


def test_a_pattern_bound_by_two_queues_is_unbound_for_one(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "topic")
    for name in ("q1", "q2"):
        bound_queue(channel, name, "x", "a.*")
    channel.queue_unbind("q1", "x", "a.*")
    channel.basic_publish("x", "a.b", b"m")
    assert get_all(channel, "q1") == []
    assert get_all(channel, "q2") == [b"m"]


def test_deleting_a_queue_removes_its_patterns_only(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "topic")
    bound_queue(channel, "q1", "x", "a.b.#")
    bound_queue(channel, "q2", "x", "a.b.c")
    channel.queue_delete("q1")
    assert is_routed(channel, "x", "a.b.c")
    assert not is_routed(channel, "x", "a.b.d")


def test_a_pattern_is_unbound_literally(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "topic")
    bound_queue(channel, "q", "x", "a.b")
    for pattern in ("#", "*.*", "a.*", "a.#"):
        channel.queue_unbind("q", "x", pattern)
    assert is_routed(channel, "x", "a.b")


def test_keys_of_many_words_match(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "topic")
    bound_queue(channel, "q", "x", "#.a.#.b.#.c")
    words = ["w"] * 120
    assert is_routed(channel, "x", ".".join(["a", "b", *words, "c"]))
    assert not is_routed(channel, "x", ".".join(["b", "a", *words, "c"]))


def test_amq_topic_is_one(channel: BlockingChannel) -> None:
    bound_queue(channel, "q", "amq.topic", "*.red")
    assert is_routed(channel, "amq.topic", "big.red")
    assert not is_routed(channel, "amq.topic", "red")
