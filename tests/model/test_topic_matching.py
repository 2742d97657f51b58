"""Topic matching against its definition, on everything small and on much that is random."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

import fakeamqp
from fakeamqp.node.routing.topic import TopicTrie, _TrieNode
from tests.model._sizes import size

KEY_WORDS = ("a", "ab", "")
PATTERN_WORDS = (*KEY_WORDS, "*", "#")
LONGEST = 4


def words_of(text: str) -> list[str]:
    return text.split(".") if text else []


def matches(pattern: str, key: str) -> bool:
    """The definition: `row[n]` tells whether the pattern's words so far match the key's first n words."""
    key_words = words_of(key)
    row = [True] + [False] * len(key_words)
    for word in words_of(pattern):
        if word == "#":
            row = [any(row[: length + 1]) for length in range(len(row))]
        else:
            row = [False] + [row[at] and word in ("*", key_words[at]) for at in range(len(key_words))]
    return row[-1]


def sentences(words: Sequence[str]) -> Iterator[str]:
    """Every key or pattern of up to LONGEST of these words; the one of no words is the one of one empty word."""
    for length in range(1, LONGEST + 1):
        for chosen in itertools.product(words, repeat=length):
            yield ".".join(chosen)


def of_words(*words: str, longest: int = 7) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words), max_size=longest).map(".".join)


patterns = of_words("a", "b", "ab", "", "*", "#", "*a", "a#", "+", "[a]")
keys = of_words("a", "b", "ab", "", "*", "#", "aa", "+")


def test_the_definition_says_what_the_documents_say() -> None:
    assert matches("#", "")
    assert matches("a.#", "a")
    assert matches("#.a", "a")
    assert matches("*", "a")
    assert matches("a.*.b", "a..b")
    assert not matches("*", "")
    assert not matches("*", "a.b")
    assert not matches("a", "ab")


def test_every_small_pattern_matches_every_small_key_as_defined() -> None:
    pairs = [(pattern, key) for pattern in sentences(PATTERN_WORDS) for key in sentences(KEY_WORDS)]
    assert len(pairs) > 40_000
    wrong = [pair for pair in pairs if fakeamqp.topic_matches(*pair) != matches(*pair)]
    assert wrong == []


@size(500)
@given(patterns, keys)
def test_a_pattern_matches_a_key_as_defined(pattern: str, key: str) -> None:
    assert fakeamqp.topic_matches(pattern, key) == matches(pattern, key)


@size(300)
@given(keys.filter(lambda key: not {"*", "#"} & set(words_of(key))))
def test_a_key_without_wildcards_matches_itself_alone(key: str) -> None:
    assert fakeamqp.topic_matches(key, key)
    assert not fakeamqp.topic_matches(key, f"{key}.a")
    assert fakeamqp.topic_matches("#", key)


class Patterns:
    """A trie, and the plain list of what should be in it."""

    def __init__(self) -> None:
        self.trie = TopicTrie()
        self.listed: list[tuple[str, int]] = []

    def toggle(self, pattern: str, value: int) -> None:
        """Add a value at a pattern, or remove it if it is there."""
        if (pattern, value) in self.listed:
            self.listed.remove((pattern, value))
            self.trie.remove(pattern, value)
        else:
            self.listed.append((pattern, value))
            self.trie.add(pattern, value)

    def check(self, key: str) -> None:
        """The trie finds what the list holds, each value once, and has no branch that leads to no pattern."""
        found = self.trie.match(key)
        assert sorted(found) == sorted({value for pattern, value in self.listed if matches(pattern, key)})
        prefixes = {
            tuple(words_of(pattern)[:length])
            for pattern, _ in self.listed
            for length in range(len(words_of(pattern)) + 1)
        }
        assert count_nodes(self.trie._root) == len(prefixes | {()})


def count_nodes(node: _TrieNode) -> int:
    return 1 + sum(map(count_nodes, node.children.values()))


@size(150)
@given(
    st.lists(
        st.tuples(of_words("a", "b", "", "*", "#", longest=4), st.integers(0, 2), of_words("a", "b", "", longest=4)),
        max_size=60,
    )
)
def test_a_trie_finds_what_filtering_a_list_finds(steps: list[tuple[str, int, str]]) -> None:
    patterns = Patterns()
    for pattern, value, key in steps:
        patterns.toggle(pattern, value)
        patterns.check(key)
        patterns.check(pattern)
    for pattern, value in list(patterns.listed):
        patterns.toggle(pattern, value)
        patterns.check(pattern)
