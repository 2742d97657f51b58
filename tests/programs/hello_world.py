"""Hello World: one program sends a message to a queue, another one receives it."""

from __future__ import annotations

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.connection import Parameters
from pika.spec import Basic, BasicProperties

QUEUE = "hello"


def send(parameters: Parameters, text: str) -> None:
    """Send one message; it waits in the queue until somebody receives it."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare(queue=QUEUE)
        channel.basic_publish(exchange="", routing_key=QUEUE, body=text.encode())


def receive(parameters: Parameters, patience: float) -> str | None:
    """Receive one message; None if no message comes within `patience` seconds."""
    texts: list[str] = []

    def on_message(channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        texts.append(body.decode())
        channel.basic_ack(method.delivery_tag)
        channel.stop_consuming()

    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare(queue=QUEUE)
        channel.basic_consume(queue=QUEUE, on_message_callback=on_message)
        connection.call_later(patience, channel.stop_consuming)
        channel.start_consuming()
    return texts[0] if texts else None
