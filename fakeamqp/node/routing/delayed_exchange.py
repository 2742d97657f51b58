"""The exchange type x-delayed-message, of the community plugin rabbitmq_delayed_message_exchange.

It follows the plugin's documentation and source, rabbit_exchange_type_delayed_message.erl; no real broker has
confirmed it. From the source follows what its users stumble over: a message that is being delayed counts as one that
was routed nowhere, so that it goes to the alternate exchange as well, and is returned at once if it is mandatory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeAlias

from fakeamqp.node.kernel.message import Message, MessageWithMore
from fakeamqp.node.routing.exchange_types import BindingIndex, ExchangeType
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.erlang import binary
from fakeamqp.node.words.facts import ExchangeFact
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import HardError, precondition_failed
from fakeamqp.spec.tables import EMPTY_TABLE, LongLong, Table

Delay: TypeAlias = Callable[[ExchangeFact, Message, int], None]
"""`delay(exchange, message, delay_ms)`: come back with a message after so many milliseconds."""

DELAYED_MESSAGE = "x-delayed-message"
DELAYED_TYPE = "x-delayed-type"
X_DELAY = "x-delay"
MAX_DELAY_MS = 2**32 - 1
"""The longest that an Erlang timer takes; a longer delay is none."""


def delayed_type(find: Callable[[str], ExchangeType], profile: Profile, delay: Delay) -> ExchangeType:
    """The type x-delayed-message, which leaves it to another type to route; `find(name)` is that type."""

    def make_index(fact: ExchangeFact) -> BindingIndex:
        return DelayedIndex(fact, find(fact.arguments[DELAYED_TYPE]).make_index(fact), profile, delay)

    def check_arguments(arguments: Table) -> None:
        find(checked_delayed_type(arguments)).check_arguments(arguments)

    def check_binding(fact: ExchangeFact, binding: Binding, leads_to: str) -> None:
        find(fact.arguments[DELAYED_TYPE]).check_binding(fact, binding, leads_to)

    return ExchangeType(make_index, check_arguments, check_binding)


def checked_delayed_type(arguments: Table) -> str:
    """The type that routes for an x-delayed-message exchange; raises 406 where there is none named."""
    name = arguments.get(DELAYED_TYPE)
    if not isinstance(name, str):
        raise precondition_failed(f"Invalid argument, '{DELAYED_TYPE}' must be an existing exchange type")
    if name == DELAYED_MESSAGE:
        raise precondition_failed(f"Invalid argument, '{DELAYED_MESSAGE}' can't be used for '{DELAYED_TYPE}'")
    return name


class DelayedIndex(BindingIndex):
    """Type x-delayed-message: messages with a delay are set aside, all others routed as another type does."""

    is_cacheable = False

    def __init__(self, exchange: ExchangeFact, routing: BindingIndex, profile: Profile, delay: Delay) -> None:
        self._exchange = exchange
        self._routing = routing
        self._profile = profile
        self._delay = delay

    def add(self, binding: Binding) -> None:
        self._routing.add(binding)

    def remove(self, binding: Binding) -> None:
        self._routing.remove(binding)

    def remembered(self) -> list[Message]:
        return self._routing.remembered()

    def recover(self) -> None:
        self._routing.recover()

    def leads(self, binding: Binding, message: Message) -> bool | None:
        return self._routing.leads(binding, message)

    def delay_ms(self, message: Message) -> int:
        delay_ms = delay_of(message, self._profile)
        return delay_ms if 0 < delay_ms <= MAX_DELAY_MS else 0

    def route(self, message: Message) -> list[Destination]:
        delay_ms = self.delay_ms(message)
        if delay_ms:
            self._delay(self._exchange, message, delay_ms)
            return []
        return self._routing.route(message)


def delay_of(message: Message, profile: Profile) -> int:
    """What a message's x-delay asks for, in milliseconds; 0 without one. Text that is no integer ends the connection.

    Source: rabbit_delayed_message_utils.erl, get_delay.
    """
    value = (message.properties.headers or EMPTY_TABLE).get(X_DELAY)
    if isinstance(value, str) or (isinstance(value, bytes) and profile.has_message_containers):
        if not re.fullmatch(rb"[+-]?[0-9]+", binary(value)):
            raise HardError(541, "", names_method=False)
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return int(value)


def after_delay(message: Message, profile: Profile) -> Message:
    """A message whose delay is over: its x-delay is negative now, so that nothing delays it again.

    Source: rabbit_delayed_message_utils.erl, swap_delay_header.
    """
    assert message.properties.headers is not None
    negative = -delay_of(message, profile)
    swapped = LongLong(negative) if profile.has_message_containers else negative
    headers = {**message.properties.headers, X_DELAY: swapped}
    sorted_headers = {name: headers[name] for name in sorted(headers, key=binary)}
    properties = message.properties.replace(headers=sorted_headers)
    return MessageWithMore(
        message.exchange,
        message.routing_key,
        properties,
        message.body,
        further_keys=message.further_keys,
        deaths=message.deaths,
    )
