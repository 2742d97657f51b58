"""Which types of exchange a node has: AMQP's, those of plugins, and its user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.routing.delayed_exchange import DELAYED_MESSAGE, Delay, delayed_type
from fakeamqp.node.routing.exchange_types import BindingIndex, ExchangeType, FanoutIndex, standard_types
from fakeamqp.node.routing.plugin_exchanges import Choose, plugin_types
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.erlang import ATOMS
from fakeamqp.node.words.facts import ExchangeFact
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import AMQPError, HardError, Misuse, SoftError, UnsupportedFeature

Matching: TypeAlias = Callable[[list[Binding], str, Message], Iterable[Binding]]
"""`matching(bindings, routing_key, message)`: how a type of the user's own routes, as those bindings that match."""

UNSUPPORTED_EXCHANGE_TYPES = frozenset({"x-jms-topic"})
"""Types of plugins that come with RabbitMQ which this node has not."""


class ExchangeTypes:
    """All types of a node, by name. Raises Misuse where the user's own take a name that is taken."""

    def __init__(self, profile: Profile, *, choose: Choose, delay: Delay, custom: Mapping[str, Matching]) -> None:
        self.profile = profile
        self._types = {
            **standard_types(profile),
            **plugin_types(profile, choose),
            DELAYED_MESSAGE: delayed_type(self.find, profile, delay),
        }
        for name, matching in custom.items():
            if name in self._types or name in UNSUPPORTED_EXCHANGE_TYPES:
                raise Misuse(f"exchange_types= cannot replace RabbitMQ's own type {name!r}; choose another name")
            self._types[name] = custom_type(matching)

    def find(self, name: str) -> ExchangeType:
        """A type; raises what RabbitMQ refuses an unknown one with."""
        found = self._types.get(name)
        if found is not None:
            return found
        if name in UNSUPPORTED_EXCHANGE_TYPES:
            raise UnsupportedFeature(f"fakeamqp has no exchange type {name!r}; it has {', '.join(self._types)}")
        text = f"{'invalid' if name in ATOMS else 'unknown'} exchange type '{name}'"
        refusal: AMQPError = HardError(503, text)
        if self.profile.unknown_exchange_type_is_soft:
            refusal = SoftError(406, text)
        raise refusal

    def make_index(self, fact: ExchangeFact) -> BindingIndex:
        """The index of a new exchange."""
        return self._types[fact.type].make_index(fact)


class CustomIndex(FanoutIndex):
    """A type of the user's own; a message with several routing keys goes where any of them leads."""

    is_cacheable = False

    def __init__(self, matching: Matching) -> None:
        super().__init__()
        self._matching = matching

    def route(self, message: Message) -> list[Destination]:
        bindings = list(self.bindings)
        return [found.destination for key in message.routing_keys for found in self._matching(bindings, key, message)]

    def leads(self, binding: Binding, message: Message) -> bool | None:
        return None


def custom_type(matching: Matching) -> ExchangeType:
    """A type of the user's own, which takes any arguments and bindings."""
    return ExchangeType(lambda fact: CustomIndex(matching))
