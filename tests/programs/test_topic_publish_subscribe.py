"""topic_publish_subscribe: several sources, several bindings on one queue, each article once."""

from __future__ import annotations

import pytest

from tests.programs.topic_publish_subscribe import collect, publish, subscribe, unsubscribe
from tests.target import Target


def publish_the_news(target: Target) -> None:
    publish(target.parameters(), "twitter", {"en.politics": "tweet", "de.sport": "Tweet", "en": "no section"})
    publish(target.parameters(), "news", {"de.sport": "Tor!", "en.politics": "vote", "en.sport.tennis": "ace"})


EVERYTHING = [
    ("twitter.en.politics", "tweet"),
    ("twitter.de.sport", "Tweet"),
    ("twitter.en", "no section"),
    ("news.de.sport", "Tor!"),
    ("news.en.politics", "vote"),
    ("news.en.sport.tennis", "ace"),
]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["#"], [0, 1, 2, 3, 4, 5]),
        (["*.en.#"], [0, 2, 4, 5]),
        (["twitter.#"], [0, 1, 2]),
        (["*.*.sport"], [1, 3]),
        (["#.sport.#"], [1, 3, 5]),
        (["*.en.#", "twitter.#"], [0, 1, 2, 4, 5]),
        (["news.de.*", "*.*.politics", "*.en.*"], [0, 3, 4]),
        (["reuters.#"], []),
    ],
    ids=str,
)
def test_a_subscriber_collects_what_any_pattern_matches_once_and_in_order(
    target: Target, patterns: list[str], expected: list[int]
) -> None:
    subscribe(target.parameters(), "reader", *patterns)
    publish_the_news(target)
    assert collect(target.parameters(), "reader") == [EVERYTHING[number] for number in expected]
    assert collect(target.parameters(), "reader") == []


def test_subscribers_do_not_take_articles_from_one_another(target: Target) -> None:
    subscribe(target.parameters(), "english", "*.en.#")
    subscribe(target.parameters(), "tweets", "twitter.#")
    publish_the_news(target)
    assert [article for _, article in collect(target.parameters(), "english")] == ["tweet", "no section", "vote", "ace"]
    assert [article for _, article in collect(target.parameters(), "tweets")] == ["tweet", "Tweet", "no section"]


def test_a_subscriber_gets_nothing_from_before_it_subscribed_or_after_it_unsubscribed(target: Target) -> None:
    publish(target.parameters(), "news", {"en.politics": "before"})
    subscribe(target.parameters(), "reader", "*.en.#", "news.#")
    publish(target.parameters(), "news", {"en.politics": "both patterns"})
    unsubscribe(target.parameters(), "reader", "news.#")
    publish(target.parameters(), "news", {"en.politics": "one pattern", "de.politics": "no pattern"})
    assert [article for _, article in collect(target.parameters(), "reader")] == ["both patterns", "one pattern"]
