"""An RPC client reconnects and goes on waiting: the answer went to its old reply queue, which died with the connection.

Mended, it asks again on each new connection, with the reply queue that is there now.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pika
from pika.exceptions import AMQPError

from fakeamqp import Broker, Faults
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import connect


class AskOnce:
    def __init__(self) -> None:
        self._has_asked = False

    def __call__(self, channel: Any, replies: str) -> None:
        if not self._has_asked:
            publish_request(channel, replies)
            self._has_asked = True


class AskOnEachConnection:
    def __call__(self, channel: Any, replies: str) -> None:
        publish_request(channel, replies)


def publish_request(channel: Any, replies: str) -> None:
    properties = pika.BasicProperties(reply_to=replies, delivery_mode=2)
    channel.basic_publish("", "prices", b"piano", properties, mandatory=True)


def client(answers: list[bytes], ask: Any) -> None:
    while not answers:
        try:
            with connect() as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                replies = channel.queue_declare("", exclusive=True).method.queue
                ask(channel, replies)
                for _method, _properties, answer in channel.consume(replies, auto_ack=True):
                    answers.append(answer)
                    break
        except AMQPError:
            time.sleep(1)


def server() -> None:
    def on_request(channel: Any, method: Any, properties: Any, article: bytes) -> None:
        channel.basic_publish("", properties.reply_to, b"1000")
        channel.basic_ack(method.delivery_tag)

    parts.consume("prices", on_request)


def scenario(strategy: Any, broker: Broker) -> list[bytes]:
    answers: list[bytes] = []
    parts.stage("prices")
    broker.spawn(server, restart=True)
    broker.spawn(client, answers, strategy(), restart=True)
    return answers


def the_client_has_its_answer(broker: Broker, answers: list[bytes]) -> None:
    assert answers == [b"1000"], f"answers: {answers}"


BUG = Bug(
    "reply queue lost on reconnect",
    buggy=partial(scenario, AskOnce),
    mended=partial(scenario, AskOnEachConnection),
    invariant=the_client_has_its_answer,
    faults=Faults(disconnect=1),
)
