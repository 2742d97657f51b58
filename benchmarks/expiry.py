"""Time to live: a queue of messages that all expire at times of their own, and a chain of queues that pass one on."""

from __future__ import annotations

from collections.abc import Iterator

import fakeamqp
from benchmarks.timing import Figure, bare_append, interleaved, seconds_each, within
from fakeamqp.spec.methods import BasicPublish, QueueDeclare
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.testing.direct import DirectChannel, connect

MESSAGES = 1_000_000
EXPIRY_S = 10.0
CHAIN = 100
CHAIN_S = 0.1
ROUNDS = 3


def _expire_all() -> float:
    """Seconds for one `advance` in which every message expires, each in a turn of its own."""
    broker = fakeamqp.Broker(trace_limit=0)
    connection = connect(broker)
    connection.channel().call(QueueDeclare("brief"))
    for milliseconds in range(1, MESSAGES + 1):
        properties = BasicProperties(expiration=str(milliseconds))
        connection.send(1, BasicPublish("", "brief", properties=properties))
    spent = seconds_each(1, lambda: broker.advance(MESSAGES / 1000 + 1))
    assert broker.vhost().queue("brief").messages == ()
    return spent


def _declare_chain(channel: DirectChannel) -> None:
    for number in range(CHAIN):
        arguments = {"x-message-ttl": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{number + 1}"}
        channel.call(QueueDeclare(f"{number}", arguments=arguments))
    channel.call(QueueDeclare(f"{CHAIN}"))


def _pass_on() -> float:
    """Seconds for one message through a chain of dead letter exchanges."""
    broker = fakeamqp.Broker()
    connection = connect(broker)
    _declare_chain(connection.channel())
    connection.send(1, BasicPublish("", "0", body=b"passed on"))
    spent = seconds_each(1, lambda: broker.advance(1))
    assert len(broker.vhost().queue(f"{CHAIN}").messages) == 1
    return spent


def figures() -> Iterator[Figure]:
    """What expiry costs."""
    append_s = bare_append()
    yield within(EXPIRY_S, f"expiry: {MESSAGES:,} distinct times to live in one advance", _expire_all(), append_s)
    chain_s, append_s = interleaved(ROUNDS, _pass_on, bare_append)
    yield within(CHAIN_S, f"expiry: one message through {CHAIN} dead letter exchanges", chain_s, append_s)
