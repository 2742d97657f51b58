"""What the rules about exchanges share."""

from __future__ import annotations

from typing import Any

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel


def bound_queue(
    channel: BlockingChannel, queue: str, exchange: str, key: str = "", arguments: dict[str, Any] | None = None
) -> str:
    """Declare the queue and bind it to the exchange; its name."""
    channel.queue_declare(queue)
    channel.queue_bind(queue, exchange, key, arguments)
    return queue


def exchange_exists(connection: pika.BlockingConnection, exchange: str) -> bool:
    """Ask by a passive declare, on a channel of its own."""
    channel = connection.channel()
    try:
        channel.exchange_declare(exchange, passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code != 404:
            raise
        return False
    channel.close()
    return True


def is_routed(channel: BlockingChannel, exchange: str, key: str, headers: dict[str, Any] | None = None) -> bool:
    """Whether a mandatory message reaches a queue; turns publisher confirms on."""
    channel.confirm_delivery()
    try:
        channel.basic_publish(exchange, key, b"", pika.BasicProperties(headers=headers), mandatory=True)
    except pika.exceptions.UnroutableError:
        return False
    return True
