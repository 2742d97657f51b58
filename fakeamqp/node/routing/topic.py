"""Topic matching: a trie over words.

`*` is exactly one word, `#` is any number of words, also none. Words are separated by dots and may be empty;
the empty key has no word at all. Source: rabbit_exchange_type_topic.erl (split_topic_key, trie_match).
"""

from __future__ import annotations

from typing import Any

Words = tuple[str, ...]


def split(key: str) -> Words:
    """A key's or pattern's words."""
    return tuple(key.split(".")) if key else ()


def topic_matches(pattern: str, key: str) -> bool:
    """Whether a topic exchange routes `key` to a binding with `pattern`."""
    trie = TopicTrie()
    trie.add(pattern, None)
    return bool(trie.match(key))


class _TrieNode:
    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _TrieNode] = {}
        self.values: dict[Any, None] = {}
        """Insertion-ordered set of what stands at this pattern."""


class TopicTrie:
    """Patterns with values, found by key in a time that depends on the key and its matches, not on the patterns."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = _TrieNode()

    def add(self, pattern: str, value: Any) -> None:
        """Put a hashable value at a pattern; putting it twice is the same as once."""
        node = self._root
        for word in split(pattern):
            child = node.children.get(word)
            if child is None:
                child = node.children[word] = _TrieNode()
            node = child
        node.values[value] = None

    def remove(self, pattern: str, value: Any) -> None:
        """Take a value away again, and the branch with it that served nobody else; KeyError where it is not."""
        path = [self._root]
        words = split(pattern)
        for word in words:
            path.append(path[-1].children[word])
        del path[-1].values[value]
        for depth in range(len(words), 0, -1):
            if path[depth].values or path[depth].children:
                break
            del path[depth - 1].children[words[depth - 1]]

    def match(self, key: str) -> list[Any]:
        """The values of every pattern that matches; a value at two matching patterns comes once, in a fixed order."""
        words = split(key)
        found: dict[Any, None] = {}
        start = (self._root, 0)
        todo = [start]  # trie nodes reached, each with the number of words consumed on the way
        seen = {start}  # several `#` reach the same state on many ways; once is enough
        while todo:
            node, consumed = todo.pop()
            if consumed == len(words):
                found.update(node.values)
            for state in self._next_states(node, words, consumed):
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
        return list(found)

    @staticmethod
    def _next_states(node: _TrieNode, words: Words, consumed: int) -> list[tuple[_TrieNode, int]]:
        children = node.children
        states = []
        if consumed < len(words):
            for word in (words[consumed], "*"):
                child = children.get(word)
                if child is not None:
                    states.append((child, consumed + 1))
        many = children.get("#")
        if many is not None:
            states += [(many, reached) for reached in range(consumed, len(words) + 1)]
        return states
