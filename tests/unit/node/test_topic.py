"""Topic matching, against the specification's own words on every short pattern and key."""

from __future__ import annotations

import itertools

import pytest

import fakeamqp
from fakeamqp.node.routing.topic import TopicTrie


def matches(pattern: list[str], words: list[str]) -> bool:
    """`*` is one word, `#` any number of words: the definition, word by word."""
    if not pattern:
        return not words
    first, *rest = pattern
    if first == "#":
        return any(matches(rest, words[taken:]) for taken in range(len(words) + 1))
    return bool(words) and first in ("*", words[0]) and matches(rest, words[1:])


PATTERNS = [
    ".".join(words) for count in range(1, 5) for words in itertools.product(("a", "b", "*", "#", ""), repeat=count)
]
KEYS = [".".join(words) for count in range(1, 5) for words in itertools.product(("a", "b", ""), repeat=count)]


def split(key: str) -> list[str]:
    return key.split(".") if key else []


@pytest.fixture(scope="module")
def full_trie() -> TopicTrie:
    """Every pattern, at itself."""
    trie = TopicTrie()
    for pattern in PATTERNS:
        trie.add(pattern, pattern)
    return trie


@pytest.mark.parametrize("key", KEYS)
def test_a_trie_of_all_patterns_finds_those_that_match(full_trie: TopicTrie, key: str) -> None:
    found = full_trie.match(key)
    assert len(found) == len(set(found))
    assert set(found) == {pattern for pattern in PATTERNS if matches(split(pattern), split(key))}


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("#", "", True),
        ("*", "", False),
        ("a.#", "a", True),
        ("#.a", "a", True),
        ("a.*", "a", False),
        ("a.*", "a.", True),
        ("*.*", ".", True),
        ("a.b", "a-b", False),
        ("#.#.#", "a", True),
        ("a.#.#.b", "a.x.y.b", True),
        ("orders.*.new", "orders.eu.new", True),
        ("orders.*", "orders.eu.new", False),
    ],
)
def test_one_pattern_and_one_key(pattern: str, key: str, expected: bool) -> None:
    assert fakeamqp.topic_matches(pattern, key) is expected


def test_what_was_removed_is_not_found() -> None:
    trie = TopicTrie()
    for value in ("one", "two"):
        trie.add("a.b", value)
    trie.add("a.b.c", "three")
    trie.remove("a.b", "one")
    assert trie.match("a.b") == ["two"]
    trie.remove("a.b", "two")
    assert trie.match("a.b") == []
    assert trie.match("a.b.c") == ["three"]
    trie.remove("a.b.c", "three")
    assert trie.match("a.b.c") == []


@pytest.mark.parametrize("pattern", ["a.b", "a", "a.b.c"])
def test_what_is_not_there_cannot_be_removed(pattern: str) -> None:
    trie = TopicTrie()
    trie.add("a.b", "value")
    with pytest.raises(KeyError):
        trie.remove(pattern, "other")


def test_a_value_at_two_matching_patterns_comes_once() -> None:
    trie = TopicTrie()
    trie.add("#", "value")
    trie.add("a.*", "value")
    trie.add("a.*", "value")
    assert trie.match("a.b") == ["value"]
