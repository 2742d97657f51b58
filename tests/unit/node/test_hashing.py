"""Erlang's hashes: numbers that erlang:phash2/1 of OTP 25 and OTP 27 gave, and where RabbitMQ put messages."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from fakeamqp.node.routing.hashing import jump_consistent_hash, phash2

HASHES: list[tuple[Any, int]] = [
    (b"", 13708901),
    (b"a", 112802447),
    (b"key", 6681389),
    (b"twelve bytes", 93359736),
    (b"thirteen byte", 33196846),
    (b"\xce\xbb", 5611400),
    (b"x" * 255, 113300833),
    ("undefined", 45914356),
    ("true", 506293),
    ("false", 7111573),
    ("", 0),
    (0, 88723725),
    (1, 2614250),
    (-1, 44071773),
    (5, 5878562),
    (134217727, 112602999),
    (134217728, 12354923),
    (-134217728, 69672967),
    (-134217729, 76739502),
    (18446744073709551616, 103122609),
    (-18446744073709551616, 13457787),
    (0.0, 20875736),
    (-0.0, 20875736),
    (1.5, 10380315),
    (-1e300, 84771912),
    ((), 87486268),
    (("longstr", b"v"), 83007481),
    (("signedint", 5), 40839585),
    (("void", "undefined"), 27077197),
    (("table", [(b"a", "signedint", 1)]), 61145695),
    (("array", [("longstr", b"a")]), 130437836),
    ([], 113427502),
    ([b"rk"], 30879347),
    ([b"rk", b"key-7"], 88091080),
    ([1, 2, 3], 25788620),
    ([1, 2, 3, 4, 300, 5], 54824158),
    ("é", 233),
    ("λ", 3483),
    (b"key-0", 91985521),
    (b"key-1", 5452885),
    (b"key-2", 116102718),
    (b"key-3", 43190085),
    (b"key-4", 17550183),
    (b"key-5", 10980055),
    (b"key-6", 58032109),
    (b"key-7", 5564733),
    (b"key-8", 84293103),
    (b"key-9", 22882797),
    (b"key-10", 121495113),
    (b"key-11", 69271562),
    (b"key-12", 55413965),
    (b"key-13", 4040814),
    (b"key-14", 76249785),
    (b"key-15", 32148623),
    (b"key-16", 73810511),
    (b"key-17", 128125379),
    (b"key-18", 112605832),
    (b"key-19", 78420338),
    (b"key-20", 3506596),
    (b"key-21", 99666309),
    (b"key-22", 24717047),
    (b"key-23", 922451),
    (b"key-24", 76971470),
    (b"key-25", 95901707),
    (b"key-26", 80306534),
    (b"key-27", 55176609),
    (b"key-28", 74688458),
    (b"key-29", 130432024),
]


@pytest.mark.parametrize(("value", "expected"), HASHES, ids=repr)
def test_terms_hash_as_in_erlang(value: Any, expected: int) -> None:
    assert phash2(value) == expected


@pytest.mark.parametrize("value", [None, True, {"a": 1}, (1, [None])], ids=repr)
def test_what_is_no_term_has_no_hash(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^not an Erlang term: "):
        phash2(value)


def test_keys_jump_as_in_rabbitmq() -> None:
    """Queues a, b and c of weights 1, 2 and 3, as both brokers spread thirty keys over them."""
    owners = ["abbccc"[jump_consistent_hash(phash2(f"key-{number}".encode()), 6)] for number in range(30)]
    assert "".join(owners) == "cbcbcbcccaacabbbcaccbcccaccccb"


def test_a_key_moves_only_to_new_buckets() -> None:
    for key in range(200):
        places = [jump_consistent_hash(key, buckets) for buckets in range(1, 30)]
        assert places[0] == 0
        for buckets, (before, after) in enumerate(itertools.pairwise(places), 1):
            assert after in (before, buckets)


@pytest.mark.parametrize("key", [-7, 0, 1 << 40])
def test_any_integer_is_a_key(key: int) -> None:
    assert 0 <= jump_consistent_hash(key, 10) < 10
