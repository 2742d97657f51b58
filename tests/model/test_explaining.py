"""broker.explain names the queues that the node routes to, over random topologies."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import fakeamqp
from fakeamqp.node.kernel.message import Message
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.testing.strategies import Topology, headers, routing_keys, topologies
from tests.model._sizes import size

KEYS = ("", "a", "b", "a.b", "b.a.c", "queue-a")
EXCHANGES = ("exchange-a", "exchange-b", "exchange-c")

links = st.lists(st.tuples(st.sampled_from(EXCHANGES), st.sampled_from(EXCHANGES), routing_keys()), max_size=3)
alternates = st.dictionaries(st.sampled_from(EXCHANGES), st.sampled_from((*EXCHANGES, "missing")), max_size=2)
plain_headers = headers(values=st.just("a") | st.integers(0, 3))


@size(100)
@given(
    version=st.sampled_from(("3.10", "4.0")),
    topology=topologies(exchange_names=EXCHANGES, durable=True, max_bindings=8),
    links=links,
    alternates=alternates,
    found=plain_headers,
)
def test_it_explains_what_the_node_does(
    version: str,
    topology: Topology,
    links: list[tuple[str, str, str]],
    alternates: dict[str, str],
    found: dict[str, Any],
) -> None:
    broker = fakeamqp.Broker(version=version)
    with broker.connect() as connection:
        channel = connection.channel()
        topology.declare(channel)
        there = {exchange.name for exchange in topology.exchanges}
        for source, destination, key in links:
            if {source, destination} <= there:
                channel.exchange_bind(destination, source, key)
        for exchange, alternate in alternates.items():
            broker.set_policy(exchange, f"^{exchange}$", {"alternate-exchange": alternate}, apply_to="exchanges")
        assert broker.simulation.world.node is not None
        for exchange, key in itertools.product(("", *sorted(there)), KEYS):
            message = Message(exchange, key, BasicProperties(headers=found), b"")
            routed = {queue.name for queue in broker.simulation.world.node.state.vhosts["/"].route(exchange, message)}
            explanation = broker.explain(key, exchange, found)
            assert set(explanation.queues) == routed
            assert len(explanation.queues) == len(routed)
            assert not explanation.possible_queues
            leading = [each for verdict in explanation.exchanges for each in verdict.bindings if each.leads]
            assert {each.binding.destination for each in leading if each.binding.destination_kind == "queue"} == routed
            assert str(explanation)
