"""pipes_and_filters: prices come in as text, are parsed, taxed and printed; what is no price is reported."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from tests.programs.pipes_and_filters import Filter, drain, failures, feed
from tests.target import Target


def parse(line: str) -> str:
    """From "12.50 EUR" to cents."""
    amount, currency = line.split()
    if currency != "EUR":
        raise ValueError(f"no such currency: {currency}")
    return str(round(float(amount) * 100))


def tax(cents: str) -> str:
    if int(cents) < 0:
        raise ValueError(f"negative price: {cents}")
    return str(int(cents) * 120 // 100)


PARSE = Filter("prices", parse, "prices.parsed")
TAX = Filter("prices.parsed", tax, "prices.taxed")
PRINT = Filter("prices.taxed", lambda cents: f"{int(cents) / 100:.2f}", "prices.printed")
QUEUES = ["prices", "prices.parsed", "prices.taxed", "prices.printed", "failures"]


def test_every_message_goes_through_every_filter_in_order(target: Target, messages_in: Callable[[str], int]) -> None:
    feed(target.parameters(), "prices", ["10.00 EUR", "12.50 EUR", "0.05 EUR"])
    for each in (PARSE, TAX, PRINT):
        each.run(target.parameters(), limit=3)
    assert drain(target.parameters(), "prices.printed") == ["12.00", "15.00", "0.06"]
    assert failures(target.parameters()) == []
    assert {queue: messages_in(queue) for queue in QUEUES} == dict.fromkeys(QUEUES, 0)


def test_a_poison_message_is_reported_and_does_not_hold_up_the_others(
    target: Target, messages_in: Callable[[str], int]
) -> None:
    feed(target.parameters(), "prices", ["10.00 EUR", "7.00 XYZ", "-1.00 EUR", "20.00 EUR"])
    PARSE.run(target.parameters(), limit=4)
    TAX.run(target.parameters(), limit=3)
    PRINT.run(target.parameters(), limit=2)
    assert drain(target.parameters(), "prices.printed") == ["12.00", "24.00"]
    assert failures(target.parameters()) == [
        {"queue": "prices", "body": "7.00 XYZ", "error": "no such currency: XYZ"},
        {"queue": "prices.parsed", "body": "-100", "error": "negative price: -100"},
    ]
    assert {queue: messages_in(queue) for queue in QUEUES} == dict.fromkeys(QUEUES, 0)


def test_a_filter_leaves_what_is_beyond_its_limit(target: Target) -> None:
    feed(target.parameters(), "prices", ["1.00 EUR", "2.00 EUR", "3.00 EUR"])
    PARSE.run(target.parameters(), limit=2)
    assert drain(target.parameters(), "prices") == ["3.00 EUR"]
    assert drain(target.parameters(), "prices.parsed") == ["100", "200"]


def test_filters_in_threads_work_at_the_same_time(target: Target, in_thread: Callable[..., Future[None]]) -> None:
    filters = [in_thread(each.run, target.parameters(), 20) for each in (PRINT, TAX, PARSE)]
    feed(target.parameters(), "prices", [f"{number}.00 EUR" for number in range(20)])
    for each in filters:
        each.result(timeout=30)
    assert drain(target.parameters(), "prices.printed") == [f"{number * 1.2:.2f}" for number in range(20)]
    assert failures(target.parameters()) == []
