"""fakeamqp: a deterministic in-memory RabbitMQ for tests.

with fakeamqp.Broker() as broker:
    connection = pika.BlockingConnection()  # reaches the broker, in process
"""

from __future__ import annotations

from fakeamqp.node.topic import topic_matches
from fakeamqp.simulation.broker import Broker
from fakeamqp.simulation.waiting import Deadlock
from fakeamqp.spec.errors import FakeamqpError, Misuse, UnsupportedFeature

__version__ = "0.1.0"

__all__ = ["Broker", "Deadlock", "FakeamqpError", "Misuse", "UnsupportedFeature", "__version__", "topic_matches"]
