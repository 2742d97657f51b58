"""What the tests of the simulation need: a broker that pika is redirected to, and an end to every wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

import fakeamqp
from tests.programs.conftest import _no_wait_is_endless, in_thread  # noqa: F401


@pytest.fixture
def broker() -> Iterator[fakeamqp.Broker]:
    """A fresh broker; every pika connection of the test reaches it."""
    with fakeamqp.Broker() as broker:
        yield broker


@pytest.fixture
def connect(broker: fakeamqp.Broker) -> Callable[..., pika.BlockingConnection]:
    """connect(**ConnectionParameters): a new BlockingConnection, without heartbeats if none are asked for."""

    def connect(**settings: object) -> pika.BlockingConnection:
        return pika.BlockingConnection(pika.ConnectionParameters(**{"heartbeat": 0, **settings}))

    return connect


@pytest.fixture
def connection(connect: Callable[..., pika.BlockingConnection]) -> pika.BlockingConnection:
    """An open connection."""
    return connect()


@pytest.fixture
def channel(connection: pika.BlockingConnection) -> BlockingChannel:
    """An open channel on `connection`, and a queue "orders"."""
    channel = connection.channel()
    channel.queue_declare("orders")
    return channel
