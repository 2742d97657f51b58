"""Queue arguments: what each may be, and what they come to."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.queues.queue_arguments import (
    QueueArguments,
    assert_equivalent_queue_arguments,
    check_queue_arguments,
    check_stream_sizes,
    checked_dead_letter_exchange,
    parse_queue_arguments,
)
from fakeamqp.node.words.profile import PROFILES
from fakeamqp.spec.errors import HardError, SoftError
from fakeamqp.spec.tables import Table

WHERE = "queue 'orders' in vhost '/'"
STREAM = {"x-queue-type": "stream"}


def refusal(arguments: Table, version: str = "4.0") -> str:
    """How these arguments are refused; empty if they are not."""
    try:
        check_queue_arguments(arguments, PROFILES[version], WHERE)
    except SoftError as error:
        return error.text
    return ""


class TestValues:
    @pytest.mark.parametrize("age", ["1Y", "2M", "3D", "4h", "5m", "6s"])
    def test_a_stream_takes_an_age_with_a_unit(self, age: str) -> None:
        assert refusal({**STREAM, "x-max-age": age}) == ""

    @pytest.mark.parametrize("age", ["5", "5x", "0s", "5 s"])
    def test_other_ages_are_refused(self, age: str) -> None:
        assert refusal({**STREAM, "x-max-age": age}).endswith(f"for {WHERE}: invalid_max_age")

    def test_an_age_that_is_no_string_is_refused(self) -> None:
        assert refusal({**STREAM, "x-max-age": 5}).endswith("{unacceptable_type,signedint}")

    def test_an_age_that_does_not_begin_with_a_number_kills_the_channel(self) -> None:
        with pytest.raises(HardError):
            refusal({**STREAM, "x-max-age": "old"})

    @pytest.mark.parametrize(("version", "is_known"), [("3.10", False), ("4.0", True)])
    def test_where_a_leader_is_depends_on_the_version(self, version: str, is_known: bool) -> None:
        arguments = {"x-queue-type": "quorum", "x-queue-leader-locator": "min-masters"}
        assert (refusal(arguments, version) == "") is is_known
        assert refusal({**arguments, "x-queue-leader-locator": "balanced"}, version) == ""

    def test_of_a_master_locator_that_it_does_not_know_the_channel_of_3_10_dies(self) -> None:
        assert refusal({"x-queue-master-locator": "anywhere"}, "4.0") == ""
        assert refusal({"x-queue-master-locator": "random"}, "3.10") == ""
        with pytest.raises(HardError):
            refusal({"x-queue-master-locator": "anywhere"}, "3.10")


class TestStreamSizes:
    def test_sizes_up_to_a_limit_are_fine(self) -> None:
        arguments = {"x-stream-max-segment-size-bytes": 3_000_000_000, "x-stream-filter-size-bytes": 255}
        check_stream_sizes(arguments, PROFILES["4.0"])
        check_stream_sizes({}, PROFILES["4.0"])

    def test_a_segment_may_be_too_large(self) -> None:
        with pytest.raises(SoftError, match="Exceeded max value for x-stream-max-segment-size-bytes"):
            check_stream_sizes({"x-stream-max-segment-size-bytes": 3_000_000_001}, PROFILES["4.0"])

    @pytest.mark.parametrize("size", [15, 256, "20"])
    def test_a_filter_may_be_wrong_where_streams_have_filters(self, size: Any) -> None:
        check_stream_sizes({"x-stream-filter-size-bytes": size}, PROFILES["3.10"])
        with pytest.raises(SoftError, match="Invalid value for  x-stream-filter-size-bytes"):
            check_stream_sizes({"x-stream-filter-size-bytes": size}, PROFILES["4.0"])


class TestParsing:
    def test_without_arguments_nothing_is_set(self) -> None:
        assert parse_queue_arguments({}) == QueueArguments()

    def test_every_argument_fills_its_field(self) -> None:
        arguments: Table = {
            "x-message-ttl": 1,
            "x-expires": 2,
            "x-max-length": 3,
            "x-max-length-bytes": 4,
            "x-overflow": "reject-publish-dlx",
            "x-dead-letter-exchange": "graves",
            "x-dead-letter-routing-key": "dead",
            "x-max-priority": 5,
            "x-single-active-consumer": True,
            "x-consumer-timeout": 6,
            "unknown": 7,
        }
        assert parse_queue_arguments(arguments) == QueueArguments(
            message_ttl_ms=1,
            expires_ms=2,
            max_length=3,
            max_length_bytes=4,
            overflow="reject-publish-dlx",
            dead_letter_exchange="graves",
            dead_letter_routing_key="dead",
            max_priority=5,
            single_active_consumer=True,
            consumer_timeout_ms=6,
        )

    def test_an_age_is_in_seconds(self) -> None:
        assert parse_queue_arguments({**STREAM, "x-max-age": "2h"}).max_age_s == 7200


class TestMeaning:
    @pytest.mark.parametrize(
        ("queue_type", "overflow", "rejects"),
        [
            ("classic", None, False),
            ("classic", "drop-head", False),
            ("classic", "reject-publish", True),
            ("classic", "reject-publish-dlx", True),
            ("quorum", "reject-publish", True),
            ("quorum", "reject-publish-dlx", False),
        ],
    )
    def test_which_full_queues_refuse(self, queue_type: str, overflow: str | None, rejects: bool) -> None:
        assert QueueArguments(queue_type=queue_type, overflow=overflow).rejects is rejects

    def test_dead_letters_wait_only_where_nothing_may_be_dropped(self) -> None:
        settings = QueueArguments(
            queue_type="quorum",
            dead_letter_strategy="at-least-once",
            dead_letter_exchange="",
            overflow="reject-publish",
        )
        assert settings.dead_letters_at_least_once
        for changes in (
            {"dead_letter_strategy": "at-most-once"},
            {"dead_letter_exchange": None},
            {"overflow": None},
        ):
            assert not settings.replace(**changes).dead_letters_at_least_once


class TestDeadLetterExchange:
    def test_it_is_a_name_or_none(self) -> None:
        assert checked_dead_letter_exchange({"x-dead-letter-exchange": "graves"}, WHERE) == "graves"
        assert checked_dead_letter_exchange({}, WHERE) is None

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(SoftError, match=f"invalid type 'void' for arg 'x-dead-letter-exchange' in {WHERE}"):
            checked_dead_letter_exchange({"x-dead-letter-exchange": None}, WHERE)


class TestDeclaringAgain:
    def test_a_type_that_is_filled_in_is_the_same_as_one_that_is_given(self) -> None:
        assert_equivalent_queue_arguments({}, {"x-queue-type": "classic"}, PROFILES["4.0"], WHERE)

    def test_arguments_of_other_types_do_not_matter(self) -> None:
        assert_equivalent_queue_arguments({}, {"x-max-age": "1D"}, PROFILES["3.10"], WHERE)

    def test_another_value_is_refused(self) -> None:
        with pytest.raises(SoftError, match="inequivalent arg 'x-max-length' for queue 'orders'"):
            assert_equivalent_queue_arguments({"x-max-length": 1}, {"x-max-length": 2}, PROFILES["4.0"], WHERE)
