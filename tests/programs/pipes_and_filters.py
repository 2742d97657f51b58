"""Pipes and filters: each filter takes messages from one queue, works on them and passes them on to the next.

A message that a filter cannot work on is reported in the queue "failures" and goes no further. A filter lets go of
a message only when its successor is safe in the next queue, so that no message is lost between two filters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.connection import Parameters

FAILURES = "failures"


def open_channel(connection: pika.BlockingConnection, *queues: str) -> BlockingChannel:
    """A channel that publishes safely, on a broker that has these queues."""
    channel = connection.channel()
    for queue in queues:
        channel.queue_declare(queue=queue, durable=True)
    channel.confirm_delivery()
    return channel


def put(channel: BlockingChannel, queue: str, body: bytes) -> None:
    """Return when the message is safe in the queue."""
    persistent = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)
    channel.basic_publish(exchange="", routing_key=queue, body=body, properties=persistent, mandatory=True)


def feed(parameters: Parameters, queue: str, lines: Iterable[str]) -> None:
    """Put lines at the beginning of the pipeline."""
    with pika.BlockingConnection(parameters) as connection:
        channel = open_channel(connection, queue)
        for line in lines:
            put(channel, queue, line.encode())


@dataclass(frozen=True)
class Filter:
    """One step of a pipeline: from its source queue, through a function, to its target queue."""

    source: str
    transform: Callable[[str], str]
    target: str

    def run(self, parameters: Parameters, limit: int) -> None:
        """Work on `limit` messages."""
        with pika.BlockingConnection(parameters) as connection:
            channel = open_channel(connection, self.source, self.target, FAILURES)
            channel.basic_qos(prefetch_count=1)
            for done, (method, _properties, body) in enumerate(channel.consume(self.source), start=1):
                self._pass_on(channel, body)
                channel.basic_ack(method.delivery_tag)
                if done == limit:
                    break
            channel.cancel()

    def _pass_on(self, channel: BlockingChannel, body: bytes) -> None:
        try:
            result = self.transform(body.decode())
        except ValueError as error:
            report = {"queue": self.source, "body": body.decode(), "error": str(error)}
            put(channel, FAILURES, json.dumps(report).encode())
        else:
            put(channel, self.target, result.encode())


def drain(parameters: Parameters, queue: str) -> list[str]:
    """The sink: all that the queue holds now."""
    lines: list[str] = []
    with pika.BlockingConnection(parameters) as connection:
        channel = open_channel(connection, queue)
        while True:
            method, _properties, body = channel.basic_get(queue)
            if method is None:
                return lines
            lines.append(body.decode())
            channel.basic_ack(method.delivery_tag)


def failures(parameters: Parameters) -> list[dict[str, Any]]:
    """The reports of the messages that went no further; they are gone from their queue then."""
    return [json.loads(report) for report in drain(parameters, FAILURES)]
