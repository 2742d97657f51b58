"""Small programs with one planted bug each, and their mended sisters: what explorations find, and what they do not.

They live in a module of their own so that they can be sent to other processes.
"""

from __future__ import annotations

import pika

import fakeamqp

PERSISTENT = pika.BasicProperties(delivery_mode=2)


def prepare(*queues: str) -> None:
    """Declare durable queues."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        for queue in queues:
            channel.queue_declare(queue, durable=True)


# -- a race: look whether anybody has done it, then do it ------------------------------------------------------------


def add_if_missing(body: bytes) -> None:
    """Publish a message unless there is one: two at once may both find none."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        if channel.queue_declare("jobs", passive=True).method.message_count == 0:
            channel.basic_publish("", "jobs", body)


def race(broker: fakeamqp.Broker) -> None:
    """Two programs of which one at most should publish."""
    with pika.BlockingConnection() as connection:
        connection.channel().queue_declare("jobs")
    broker.spawn(add_if_missing, b"one", name="first")
    broker.spawn(add_if_missing, b"two", name="second")


def lonely(broker: fakeamqp.Broker) -> None:
    """One program, nothing to race with."""
    with pika.BlockingConnection() as connection:
        connection.channel().queue_declare("jobs")
    broker.spawn(add_if_missing, b"one", name="first")


def one_job(broker: fakeamqp.Broker) -> None:
    """There is one message."""
    jobs = [message.body for message in broker.vhost().queue("jobs").messages]
    assert len(jobs) == 1, f"there are {len(jobs)} jobs"


# -- orders that crashes lose, or ship twice -------------------------------------------------------------------------


def place(count: int) -> None:
    """Publish orders, each confirmed before the next; a supervisor starts again from the first."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for number in range(count):
            channel.basic_publish("", "orders", b"%d" % (number + 1), PERSISTENT)


def place_hastily(count: int) -> None:
    """Publish orders without waiting to hear that they are safe."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        for number in range(count):
            channel.basic_publish("", "orders", b"%d" % (number + 1), PERSISTENT)


def ship(shipped: list[bytes], hasty: bool) -> None:
    """Ship orders until none has come for ten seconds; a hasty one acknowledges before it ships."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        for method, _, order in channel.consume("orders", inactivity_timeout=10):
            if method is None:
                break
            if hasty:
                channel.basic_ack(method.delivery_tag)
            if order not in shipped:
                if hasty:
                    connection.process_data_events(0)
                shipped.append(order)
            if not hasty:
                channel.basic_ack(method.delivery_tag)


class Shop:
    """A scenario: how many orders, and who is hasty."""

    def __init__(self, orders: int = 2, hasty_publisher: bool = False, hasty_worker: bool = False) -> None:
        self.orders = orders
        self.hasty_publisher = hasty_publisher
        self.hasty_worker = hasty_worker

    def __call__(self, broker: fakeamqp.Broker) -> list[bytes]:
        """Somebody places orders, somebody ships them; supervisors start both again."""
        prepare("orders")
        shipped: list[bytes] = []
        broker.spawn(
            place_hastily if self.hasty_publisher else place,
            self.orders,
            name="publisher",
            restart=not self.hasty_publisher,
        )
        broker.spawn(ship, shipped, self.hasty_worker, name="worker", restart=True)
        return shipped

    def every_order_is_shipped(self, broker: fakeamqp.Broker, shipped: list[bytes]) -> None:
        """Nothing is lost."""
        assert set(shipped) == {b"%d" % (number + 1) for number in range(self.orders)}, (
            f"shipped were {sorted(shipped)}"
        )
