"""Readers: a stream's consumers, each at a place of its own in the log."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

from fakeamqp.node.kernel.message import NO_EXPIRY_US, Entry, Message
from fakeamqp.node.queues.consumer import Consumer, Receiver
from fakeamqp.node.queues.log import Log
from fakeamqp.node.queues.queue_arguments import seconds_of
from fakeamqp.node.words import erlang
from fakeamqp.node.words.dates import moment_us
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import HardError
from fakeamqp.spec.tables import EMPTY_TABLE, LongLong, Table

STREAM_OFFSET = "x-stream-offset"
STREAM_FILTER = "x-stream-filter"
MATCH_UNFILTERED = "x-stream-match-unfiltered"
FILTER_VALUE = "x-stream-filter-value"

NAMED_OFFSETS = (b"first", b"last", b"next")


def wrong_offset(offset: Any, _: Profile) -> str | None:
    """What is wrong with an x-stream-offset, as Erlang prints it; None if nothing is.

    Raises 541 for what RabbitMQ's channel dies of (observed): anything that does not begin like a number of units.
    Source: rabbit_stream_queue.erl, parse_offset_arg.
    """
    if isinstance(offset, int) and not isinstance(offset, bool):
        return None
    if isinstance(offset, datetime.datetime) or offset in ("first", "last", "next") or offset in NAMED_OFFSETS:
        return None
    if not isinstance(offset, str) or not re.match("[0-9]", offset):
        raise HardError(541, "", names_method=False)
    if seconds_of(offset) is None:
        return erlang.printed(("invalid_stream_offset_arg", ("longstr", offset.encode())))
    return None


def _first_offset(offset: Any, log: Log, now_us: int) -> int:
    """Where in the log a checked x-stream-offset leads."""
    if isinstance(offset, int):
        return offset
    if isinstance(offset, datetime.datetime):
        return log.first_since(moment_us(offset))
    name = erlang.binary(offset)
    if name == b"first":
        return 0
    if name == b"last":
        return log.last()
    if name == b"next":
        return log.next_offset()
    return log.first_since(now_us - (seconds_of(offset) or 0) * 1_000_000)


def wrong_filter(values: Any, _: Profile) -> str | None:
    """Nothing is wrong with any x-stream-filter; but of a list without a string the channel dies, 541 (observed)."""
    if isinstance(values, list) and not any(isinstance(each, str) for each in values):
        raise HardError(541, "", names_method=False)
    return None


class Filter:
    """Which messages a reader wants, by their x-stream-filter-value; "" is what those without one have.

    RabbitMQ asks this of a whole chunk and leaves the rest to the client; here each message is a chunk of its own.
    """

    __slots__ = ("_values",)

    def __init__(self, values: list[str], *, match_unfiltered: bool) -> None:
        self._values = [*values, ""] if match_unfiltered else values

    def matches(self, message: Message) -> bool:
        """Whether a message is wanted."""
        return (message.properties.headers or EMPTY_TABLE).get(FILTER_VALUE, "") in self._values


def filter_of(arguments: Table) -> Filter | None:
    """What a consumer's checked arguments ask for; None if for everything."""
    given = arguments.get(STREAM_FILTER)
    values = [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, str)]
    return Filter(values, match_unfiltered=arguments.get(MATCH_UNFILTERED) is True) if values else None


class Reader:
    """One consumer's place in the log."""

    __slots__ = ("consumer", "filter", "offset")

    def __init__(self, consumer: Consumer, wanted: Filter | None) -> None:
        self.consumer = consumer
        self.filter = wanted
        self.offset: int | None = None
        """The offset to go on reading at; None before it has begun."""

    def has_room(self) -> bool:
        """Whether the consumer may have more deliveries outstanding."""
        return self.consumer.can_take()


class Readers:
    """A stream's consumers in the order in which they came. All get everything, so that nobody's turn ever comes."""

    __slots__ = ("_has_filters", "_log", "_readers")

    def __init__(self, log: Log, profile: Profile) -> None:
        self._log = log
        self._has_filters = profile.streams_have_filters
        self._readers: dict[Consumer, Reader] = {}

    def __len__(self) -> int:
        return len(self._readers)

    def __iter__(self) -> Iterator[Consumer]:
        return iter(self._readers)

    def add(self, consumer: Consumer) -> None:
        """A new consumer, which begins to read when the queue runs."""
        self._readers[consumer] = Reader(consumer, filter_of(consumer.arguments) if self._has_filters else None)

    def remove(self, consumer: Consumer) -> None:
        """A consumer is gone."""
        del self._readers[consumer]

    def next(self) -> Consumer | None:
        """Nobody takes anything out of a log."""
        return None

    def park(self, consumer: Consumer) -> None:
        """Nobody waits in line."""

    def unpark(self, channel: Receiver, settled: Consumer | None) -> bool:
        """A channel has settled something: whether one of its readers may read on."""
        return self.unpark_all(channel)

    def unpark_all(self, channel: Receiver) -> bool:
        """A channel's limits have changed: whether one of its readers may read on."""
        return any(each.channel is channel and reader.has_room() for each, reader in self._readers.items())

    def served(self) -> Iterator[Consumer]:
        """The consumers that get messages: all."""
        return iter(self)

    def read(self, now_us: int) -> Iterator[tuple[Consumer, Entry]]:
        """Everything that a reader wants, has room for and has not read yet, as entries that are its own."""
        for reader in self._readers.values():
            if reader.offset is None:
                reader.offset = _first_offset(reader.consumer.arguments.get(STREAM_OFFSET, "next"), self._log, now_us)
            for entry in self._log.since(reader.offset):
                if not reader.has_room():
                    break
                reader.offset = entry.position + 1
                if reader.filter is None or reader.filter.matches(entry.message):
                    reader.consumer.outstanding += 1
                    yield reader.consumer, _delivered(entry)

    def check(self) -> None:
        """Nobody who may read on has anything to read."""
        for reader in self._readers.values():
            assert reader.offset is not None
            assert not (reader.has_room() and any(self._log.since(reader.offset))), reader.consumer.tag


def _delivered(entry: Entry) -> Entry:
    """What a reader gets of an entry: the message with its offset in a header. Settling it changes no log."""
    message = entry.message
    headers = {**(message.properties.headers or EMPTY_TABLE), STREAM_OFFSET: LongLong(entry.position)}
    properties = message.properties.replace(headers=dict(sorted(headers.items())))
    told = Message(message.exchange, message.routing_key, properties, message.body)
    return Entry(entry.position, told, NO_EXPIRY_US)
