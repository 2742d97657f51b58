"""An RPC client gives up on a slow answer, asks the next question, and takes the late answer for the new one.

Mended, it looks at the correlation_id, and passes over what answers another question.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pika

from fakeamqp import Broker, Faults
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import connect

PATIENCE_SECONDS = 0.5

Answers = list[tuple[int, int]]
"""Numbers, and what their squares were said to be."""


def takes_any_answer(properties: Any, correlation_id: str) -> bool:
    return True


def takes_its_own_answer(properties: Any, correlation_id: str) -> bool:
    return bool(properties.correlation_id == correlation_id)


def client(answers: Answers, is_answer: Any) -> None:
    with connect() as connection:
        channel = connection.channel()
        replies = channel.queue_declare("", exclusive=True).method.queue
        for number in (2, 3, 4):
            correlation_id = str(number)
            properties = pika.BasicProperties(reply_to=replies, correlation_id=correlation_id)
            channel.basic_publish("", "squares", str(number).encode(), properties)
            for _, properties, answer in channel.consume(replies, auto_ack=True, inactivity_timeout=PATIENCE_SECONDS):
                if answer is None:
                    break
                if is_answer(properties, correlation_id):
                    answers.append((number, int(answer)))
                    break


def server() -> None:
    def on_request(channel: Any, method: Any, properties: Any, number: bytes) -> None:
        reply = pika.BasicProperties(correlation_id=properties.correlation_id)
        channel.basic_publish("", properties.reply_to, str(int(number) ** 2).encode(), reply)
        channel.basic_ack(method.delivery_tag)

    parts.consume("squares", on_request)


def scenario(is_answer: Any, broker: Broker) -> Answers:
    answers: Answers = []
    parts.stage("squares")
    broker.spawn(server, restart=True)
    broker.spawn(client, answers, is_answer, restart=True)
    return answers


def every_answer_is_right(broker: Broker, answers: Answers) -> None:
    for number, answer in answers:
        assert answer == number**2, f"the square of {number} is not {answer}"


BUG = Bug(
    "RPC client that ignores correlation_id",
    buggy=partial(scenario, takes_any_answer),
    mended=partial(scenario, takes_its_own_answer),
    invariant=every_answer_is_right,
    faults=Faults(kill=1),
)
