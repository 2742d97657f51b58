"""Messages that reach queues after they were published: x-delayed-message's, and what x-recent-history remembers."""

from __future__ import annotations

from fakeamqp.node.kernel.journal import DelayedMessage
from fakeamqp.node.kernel.message import Message
from fakeamqp.node.messages.arrivals import arrive
from fakeamqp.node.routing.delayed_exchange import after_delay
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.watching import DELAYED
from fakeamqp.node.words.bindings import Destination
from fakeamqp.node.words.facts import ExchangeFact
from fakeamqp.spec.errors import HardError


def delay(state: NodeState, exchange: ExchangeFact, message: Message, delay_ms: int) -> None:
    """Set a message aside, on disk whether it is persistent or not, and come back with it.

    Source: rabbit_delayed_message.erl, whose table is one of Mnesia's disc_copies.
    """
    due_us = state.now_us + delay_ms * 1000
    number = state.journal.delay(DelayedMessage(exchange.vhost, exchange.name, message, due_us))
    _wait_for(state, number, due_us)
    if state.watch is not None:
        state.watch((state.now_us, DELAYED, message, (), None, {"vhost": exchange.vhost, "until_us": due_us}))


def recover_delayed(state: NodeState) -> None:
    """Wait again for what was set aside before the node went down; what was due meanwhile comes now."""
    for number, delayed in state.journal.delayed.items():
        _wait_for(state, number, delayed.due_us)


def _wait_for(state: NodeState, number: int, due_us: int) -> None:
    state.timers.at(due_us, lambda: _come_back(state, number))


def _come_back(state: NodeState, number: int) -> None:
    """Route a message whose delay is over by the bindings there are now; it is gone if its exchange is."""
    delayed = state.journal.delayed.pop(number)
    vhost = state.vhosts.get(delayed.vhost)
    if vhost is None or delayed.exchange not in vhost.exchanges:
        return
    message = after_delay(delayed.message, state.profile)
    arrive(state, vhost.route(delayed.exchange, message), message)


def replay_history(state: NodeState, exchange: Exchange, destination: Destination) -> None:
    """Give what an exchange remembers to a queue or exchange that is newly bound to it.

    A queue gets it in order, an exchange from the latest on; one that does not route every message cannot be bound.
    Source: rabbit_exchange_type_recent_history.erl, add_binding.
    """
    vhost = state.vhosts[exchange.fact.vhost]
    remembered = exchange.index.remembered()
    if destination.kind == "queue":
        for message in reversed(remembered):
            arrive(state, (vhost.queue(destination.name),), message)
        return
    for message in remembered:
        queues = vhost.route(destination.name, message)
        if not queues:
            if state.profile.history_comes_before_binding:
                raise HardError(541, "", names_method=False)
            raise HardError(541, "could not find queue/exchange ''")
        arrive(state, queues, message)
