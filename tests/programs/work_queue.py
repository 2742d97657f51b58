"""Work queue: tasks are shared out among workers, and a task is done only when its worker says so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.connection import Parameters
from pika.spec import Basic, BasicProperties

QUEUE = "task_queue"

log = logging.getLogger(__name__)


def open_channel(connection: pika.BlockingConnection) -> BlockingChannel:
    """A channel on a broker that has the task queue."""
    channel = connection.channel()
    channel.queue_declare(queue=QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    return channel


def publish_tasks(parameters: Parameters, tasks: Iterable[str]) -> None:
    """Put tasks at the end of the queue."""
    with pika.BlockingConnection(parameters) as connection:
        channel = open_channel(connection)
        for task in tasks:
            channel.basic_publish(
                exchange="",
                routing_key=QUEUE,
                body=task.encode(),
                properties=BasicProperties(delivery_mode=pika.DeliveryMode.Persistent),
            )


def work(parameters: Parameters, perform: Callable[[str], None], limit: int) -> None:
    """Perform `limit` tasks, one at a time; a task whose performance fails goes back to the queue."""
    done = 0

    def on_task(channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        nonlocal done
        task = body.decode()
        if method.redelivered:
            log.warning("%s has been begun before", task)
        perform(task)
        channel.basic_ack(method.delivery_tag)
        done += 1
        if done == limit:
            channel.stop_consuming()

    with pika.BlockingConnection(parameters) as connection:
        channel = open_channel(connection)
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(queue=QUEUE, on_message_callback=on_task)
        channel.start_consuming()
