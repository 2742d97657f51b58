"""RPC: clients ask servers for Fibonacci numbers, each client with a reply queue of its own."""

from __future__ import annotations

import uuid

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.connection import Parameters
from pika.spec import Basic, BasicProperties

QUEUE = "rpc_queue"


def fibonacci(number: int) -> int:
    """The Fibonacci number of this index."""
    previous, current = 0, 1
    for _ in range(number):
        previous, current = current, previous + current
    return previous


class FibonacciServer:
    """Answers one request at a time; `run` it in a thread of its own, `stop` it from any thread."""

    def __init__(self, parameters: Parameters, name: str) -> None:
        self._name = name
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.queue_declare(queue=QUEUE)
        self._channel.basic_qos(prefetch_count=1)
        self._channel.basic_consume(queue=QUEUE, on_message_callback=self._on_request)

    def _on_request(
        self, channel: BlockingChannel, method: Basic.Deliver, request: BasicProperties, body: bytes
    ) -> None:
        channel.basic_publish(
            exchange="",
            routing_key=request.reply_to,
            body=str(fibonacci(int(body))).encode(),
            properties=BasicProperties(correlation_id=request.correlation_id, app_id=self._name),
        )
        channel.basic_ack(method.delivery_tag)

    def run(self) -> None:
        """Serve until stopped."""
        self._channel.start_consuming()
        self._connection.close()

    def stop(self) -> None:
        """Let `run` return; requests it has not begun wait for another server."""
        self._connection.add_callback_threadsafe(self._channel.stop_consuming)


class FibonacciRpcClient:
    """Asks for one number at a time."""

    def __init__(self, parameters: Parameters) -> None:
        self.served_by: list[str] = []
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        reply_queue = self._channel.queue_declare(queue="", exclusive=True, auto_delete=True)
        self.callback_queue: str = reply_queue.method.queue
        self._channel.basic_consume(queue=self.callback_queue, on_message_callback=self._on_response, auto_ack=True)
        self._correlation_id: str | None = None
        self._response: int | None = None

    def _on_response(
        self, _channel: BlockingChannel, _method: Basic.Deliver, response: BasicProperties, body: bytes
    ) -> None:
        if response.correlation_id == self._correlation_id:
            self._response = int(body)
            self.served_by.append(response.app_id)

    def call(self, number: int, patience: float) -> int:
        """The Fibonacci number of this index; TimeoutError if no server answers within `patience` seconds."""
        self._response = None
        self._correlation_id = str(uuid.uuid4())
        self._channel.basic_publish(
            exchange="",
            routing_key=QUEUE,
            body=str(number).encode(),
            properties=BasicProperties(reply_to=self.callback_queue, correlation_id=self._correlation_id),
        )
        out_of_patience = False

        def give_up() -> None:
            nonlocal out_of_patience
            out_of_patience = True

        timer = self._connection.call_later(patience, give_up)
        while self._response is None:
            if out_of_patience:
                raise TimeoutError(f"no server answered within {patience} seconds")
            self._connection.process_data_events(time_limit=None)
        self._connection.remove_timeout(timer)
        return self._response

    def close(self) -> None:
        """Disconnect; the reply queue goes with the client."""
        self._connection.close()
