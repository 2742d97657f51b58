"""Erlang's `phash2`, its generator exs1024, and the jump consistent hash that RabbitMQ makes of them.

Terms are those of `erlang.py`: atoms are str, binaries bytes. Every number agrees with OTP 25 and OTP 27.
Sources: erts/emulator/beam (make_hash2), lib/stdlib/src/rand.erl, rabbit_exchange_type_consistent_hash.erl.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

MASK_32 = 0xFFFFFFFF
MASK_64 = 0xFFFFFFFFFFFFFFFF
PHASH2_RANGE = 1 << 27
GOLDEN_RATIO = 0x9E3779B9
EMPTY_LIST_HASH = 3468870702
SMALL_INTEGER = 1 << 27
"""Integers of at most this size are hashed as one word, and characters of at most a byte four at a time."""


def phash2(term: Any) -> int:
    """erlang:phash2(Term): a number below 2**27.

    Raises TypeError for what is no term of `erlang.py`.
    """
    hashed = 0
    todo = [term]
    while todo:
        term = todo.pop()
        if isinstance(term, tuple):
            hashed = _mix_words(len(term), 0, _constant(9), hashed)
            todo += reversed(term)
        elif isinstance(term, list):
            hashed, rest = _hash_leading_characters(term, hashed)
            if rest:
                todo += [rest[1:], rest[0]]
            else:
                hashed = _mix_words(2, 0, _constant(2), hashed) if hashed else EMPTY_LIST_HASH
        else:
            hashed = _hash_simple(term, hashed)
    return hashed % PHASH2_RANGE


def _hash_simple(term: Any, hashed: int) -> int:
    if isinstance(term, bytes):
        return _hash_binary(term, hashed)
    if isinstance(term, str):
        atom = _hash_atom(term)
        return _mix_words(atom, 0, _constant(3), hashed) if hashed else atom
    if isinstance(term, float):
        low, high = struct.unpack("<2I", struct.pack("<d", term or 0.0))  # minus zero counts as zero
        return _mix_words(high, low, _constant(12), hashed)
    if isinstance(term, int) and not isinstance(term, bool):
        return _hash_integer(term, hashed)
    raise TypeError(f"not an Erlang term: {term!r}")


def _constant(kind: int) -> int:
    return GOLDEN_RATIO * kind & MASK_32


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    """Bob Jenkins' mix of 96 bits (lookup2)."""
    for shift_a, shift_b, shift_c in ((13, 8, 13), (12, 16, 5), (3, 10, 15)):
        a = (a - b - c & MASK_32) ^ c >> shift_a
        b = ((b - c - a) ^ a << shift_b) & MASK_32
        c = (c - a - b & MASK_32) ^ b >> shift_c
    return a, b, c


def _mix_words(first: int, second: int, constant: int, hashed: int) -> int:
    return _mix(constant + first & MASK_32, constant + second & MASK_32, hashed)[2]


def _hash_binary(octets: bytes, hashed: int) -> int:
    c = _constant(13) + hashed & MASK_32
    if not octets:
        return c
    a = b = GOLDEN_RATIO
    whole = len(octets) - len(octets) % 12
    for first, second, third in struct.iter_unpack("<3I", octets[:whole]):
        a, b, c = _mix(a + first & MASK_32, b + second & MASK_32, c + third & MASK_32)
    rest = octets[whole:]
    first = int.from_bytes(rest[:4], "little")
    second = int.from_bytes(rest[4:8], "little")
    third = int.from_bytes(rest[8:], "little") << 8  # the lowest byte is the length's
    return _mix(a + first & MASK_32, b + second & MASK_32, c + third + len(octets) & MASK_32)[2]


def _hash_integer(number: int, hashed: int) -> int:
    if -SMALL_INTEGER <= number < SMALL_INTEGER:
        if number < 0:  # mixed twice
            hashed = _mix_words(-number, 0, GOLDEN_RATIO, hashed)
        return _mix_words(number & MASK_32, 0, GOLDEN_RATIO, hashed)
    constant = _constant(10 if number < 0 else 11)
    left = abs(number)
    while left:
        hashed = _mix_words(left & MASK_32, left >> 32 & MASK_32, constant, hashed)
        left >>= 64
    return hashed


def _hash_atom(name: str) -> int:
    """The atom table's hash, PJW, over Latin-1 octets where a character has one and over UTF-8 where not."""
    hashed = 0
    for character in name:
        for octet in character.encode("latin-1" if ord(character) < 256 else "utf-8"):
            hashed = (hashed << 4) + octet & MASK_32
            high = hashed & 0xF0000000
            hashed = (hashed ^ high >> 24) & ~high
    return hashed


def _hash_leading_characters(items: list[Any], hashed: int) -> tuple[int, list[Any]]:
    """Erlang's strings are lists of small integers: as many as lead a list are packed by four; answers the rest."""
    count = 0
    while count < len(items) and type(items[count]) is int and 0 <= items[count] <= 255:
        count += 1
    for start in range(0, count, 4):
        hashed = _mix_words(int.from_bytes(bytes(items[start : min(start + 4, count)]), "big"), 0, _constant(4), hashed)
    return hashed, items[count:]


def jump_consistent_hash(key: int, buckets: int) -> int:
    """Which of so many buckets a key belongs to: growing their number moves as few keys as can be."""
    bucket = following = 0
    numbers = _uniform_numbers(key)
    while following < buckets:
        bucket = following
        following = int((bucket + 1) / next(numbers))
    return bucket


def _uniform_numbers(seed: int) -> Iterator[float]:
    """What rand:uniform_s gives again and again after rand:seed_s(exs1024, {Seed, Seed, Seed})."""
    state = _seeded_state(seed)
    at = 0
    while True:  # xorshift1024*
        old, new = state[at], state[(at + 1) % 16]
        new ^= new << 31 & MASK_64
        new ^= new >> 11
        old ^= old >> 30
        at = (at + 1) % 16
        state[at] = old ^ new
        yield (state[at] * 1181783497276652981 & MASK_64) / (1 << 64)


def _seeded_state(seed: int) -> list[int]:
    """exs1024's sixteen words, the last made first."""
    low = (1 << 21) - 1
    first, second, third = (((seed & low) + 1) * factor & low for factor in (2097131, 2097133, 2097143))
    word = first << 43 | second << 22 | third << 1 | 1
    state: list[int] = []
    for _ in range(16):
        word ^= word >> 12
        word ^= word << 25 & MASK_64
        word ^= word >> 27
        state.append(word * 2685821657736338717 & MASK_64)
    return state[::-1]
