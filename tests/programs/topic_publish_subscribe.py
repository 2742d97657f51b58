"""Topic publish/subscribe: news sources publish, subscribers collect what interests them when it suits them."""

from __future__ import annotations

from collections.abc import Mapping

import pika
from pika.connection import Parameters
from pika.exchange_type import ExchangeType

EXCHANGE = "news"


def publish(parameters: Parameters, source: str, articles: Mapping[str, str]) -> None:
    """Publish articles by subject, "language.section", under the name of their source: "twitter.en.politics"."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange=EXCHANGE, exchange_type=ExchangeType.topic, durable=True)
        channel.confirm_delivery()
        for subject, article in articles.items():
            channel.basic_publish(exchange=EXCHANGE, routing_key=f"{source}.{subject}", body=article.encode())


def subscribe(parameters: Parameters, subscriber: str, *patterns: str) -> None:
    """From now on, keep what matches any of the patterns until the subscriber collects it."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange=EXCHANGE, exchange_type=ExchangeType.topic, durable=True)
        channel.queue_declare(queue=subscriber, durable=True)
        for pattern in patterns:
            channel.queue_bind(exchange=EXCHANGE, queue=subscriber, routing_key=pattern)


def unsubscribe(parameters: Parameters, subscriber: str, pattern: str) -> None:
    """From now on, keep no more of what only this pattern matches."""
    with pika.BlockingConnection(parameters) as connection:
        connection.channel().queue_unbind(exchange=EXCHANGE, queue=subscriber, routing_key=pattern)


def collect(parameters: Parameters, subscriber: str) -> list[tuple[str, str]]:
    """The (topic, article) pairs that have been kept for the subscriber, oldest first."""
    articles: list[tuple[str, str]] = []
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        method, _properties, body = channel.basic_get(subscriber)
        while method is not None:
            articles.append((method.routing_key, body.decode()))
            last = method.delivery_tag
            method, _properties, body = channel.basic_get(subscriber)
        if articles:
            channel.basic_ack(last, multiple=True)
    return articles
