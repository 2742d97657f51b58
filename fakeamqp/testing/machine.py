"""A Hypothesis state machine on a broker, to be extended by your own rules and invariants.

    class Shop(BrokerMachine):
        steps = {"crash", "advance"}  # of what the machine can do

        @rule()
        def work(self):
            run_my_worker_once()  # its pika connections reach self.broker

        @invariant()
        def no_order_is_lost(self):
            ...

    TestShop = Shop.TestCase

Needs `pip install fakeamqp[hypothesis]`; docs/property_testing.md has whole examples.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, ClassVar, NamedTuple, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from fakeamqp.broker import Broker
from fakeamqp.spec.errors import Misuse
from fakeamqp.testing import strategies

ALL_STEPS = frozenset(
    {
        "connect", "declare_queue", "delete_queue", "purge_queue", "declare_exchange", "bind", "publish", "consume",
        "get", "ack", "nack", "reject", "stop", "crash", "advance",
    }
)  # fmt: skip

MOSTLY = st.sampled_from((True, True, True, False))

Rule = TypeVar("Rule", bound=Callable[..., Any])


class Delivery(NamedTuple):
    """A message that a client of the machine holds and has not settled."""

    delivery_tag: int
    queue: str
    body: bytes


class Client:
    """A connection of the machine with one channel, opened when it is used, and again when it was lost."""

    def __init__(self, broker: Broker) -> None:
        self.held: list[Delivery] = []
        """What it has received and not settled, oldest first."""
        self._broker = broker
        self._connection: Any = None
        self._channel: Any = None

    @property
    def channel(self) -> Any:
        """An open pika channel."""
        if self._connection is None or not self._connection.is_open:
            self._connection = self._broker.connect()
        if self._channel is None or not self._channel.is_open:
            self._channel = self._connection.channel()
            self.held = []
        return self._channel

    def read(self) -> None:
        """Take what has arrived."""
        if self._connection is not None and self._connection.is_open:
            self._connection.process_data_events(0)

    def lose(self) -> None:
        """The broker is gone, and with it the connection."""
        self._connection = self._channel = None
        self.held = []


def step(step_name: str, **arguments: Any) -> Callable[[Rule], Rule]:
    """A rule of the machine that `steps` can switch off."""
    is_on: Callable[[Any], bool] = lambda machine: step_name in machine.steps  # noqa: E731
    make_rule: Any = rule(**arguments)
    return lambda function: precondition(is_on)(make_rule(function))


def _of_machine(attribute: str) -> st.SearchStrategy[Any]:
    return st.runner().flatmap(lambda machine: getattr(machine, attribute))


class BrokerMachine(RuleBasedStateMachine):
    """Clients that do at random what clients do, on `self.broker`, to which all of pika is redirected meanwhile.

    Derive from it, and set what shall be otherwise:

    - steps: which of ALL_STEPS the machine makes besides your own rules; all of them, unless told
    - broker_settings: the keywords of the `fakeamqp.Broker`
    - queue_names, exchange_names: strategies for names

    The bundles `clients`, `queues` and `exchanges` may be used in your rules; a queue or exchange in them is gone if
    it did not survive the last restart. The broker's own invariants are asserted after every step.
    """

    steps: ClassVar[Collection[str]] = ALL_STEPS
    broker_settings: ClassVar[dict[str, Any]] = {}
    queue_names: ClassVar[st.SearchStrategy[str]] = strategies.names(("queue-a", "queue-b"))
    exchange_names: ClassVar[st.SearchStrategy[str]] = strategies.names(("exchange-a", "exchange-b"))

    clients: ClassVar[Bundle[Client]] = Bundle("clients")
    queues: ClassVar[Bundle[str]] = Bundle("queues")
    exchanges: ClassVar[Bundle[str]] = Bundle("exchanges")

    def __init__(self) -> None:
        unknown = sorted(set(self.steps) - ALL_STEPS)
        if unknown:
            raise Misuse(f"steps = {unknown} are none of a BrokerMachine's: {', '.join(sorted(ALL_STEPS))}")
        super().__init__()
        self.all_clients: list[Client] = []
        self.broker = Broker(**self.broker_settings)
        self.broker.__enter__()
        try:
            self.prepare()
        except BaseException:
            self.broker.__exit__(None, None, None)
            raise

    def teardown(self) -> None:
        """Let pika go where it went before. Call it where you override it."""
        self.broker.__exit__(None, None, None)

    # -- hooks: override them ----------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Called once on a fresh broker, before the first step."""

    def on_published(self, message: strategies.Message) -> None:
        """A client of the machine has published."""

    def on_received(self, delivery: Delivery) -> None:
        """A client of the machine has received a message."""

    def on_settled(self, delivery: Delivery, requeue: bool) -> None:
        """A client of the machine has settled a delivery; `requeue` says whether it gave it back."""

    def on_restarted(self, crashed: bool) -> None:
        """The broker is there again, after a crash or a graceful stop."""

    # -- what there is from the start, so that the first steps have something to work on -----------------------------

    @initialize(target=clients)
    def first_client(self) -> Any:
        """A client, if any are wanted."""
        return self.connect() if "connect" in self.steps else multiple()

    @initialize(target=queues, name=_of_machine("queue_names"))
    def first_queue(self, name: str) -> Any:
        """A durable queue, if the machine declares queues."""
        if not {"connect", "declare_queue"} <= set(self.steps):
            return multiple()
        return self.declare_queue(self._somebody(), name, True)

    def _somebody(self) -> Client:
        return self.all_clients[0] if self.all_clients else Client(self.broker)

    # -- what clients do ---------------------------------------------------------------------------------------------

    @step("connect", target=clients)
    def connect(self) -> Client:
        """A new client."""
        self.all_clients.append(Client(self.broker))
        return self.all_clients[-1]

    @step("declare_queue", target=queues, client=clients, name=_of_machine("queue_names"), durable=MOSTLY)
    def declare_queue(self, client: Client, name: str, durable: bool) -> str:
        """A client declares a queue, unless there is one of that name."""
        if not self.has_queue(name):
            client.channel.queue_declare(name, durable=durable)
        return name

    @step("delete_queue", client=clients, queue=consumes(queues))
    def delete_queue(self, client: Client, queue: str) -> None:
        """A client deletes a queue."""
        client.channel.queue_delete(queue)

    @step("purge_queue", client=clients, queue=queues)
    def purge_queue(self, client: Client, queue: str) -> None:
        """A client purges a queue, if it is there."""
        if self.has_queue(queue):
            client.channel.queue_purge(queue)

    @step(
        "declare_exchange",
        target=exchanges,
        client=clients,
        name=_of_machine("exchange_names"),
        exchange_type=st.sampled_from(("direct", "fanout", "topic")),
        durable=st.booleans(),
    )
    def declare_exchange(self, client: Client, name: str, exchange_type: str, durable: bool) -> str:
        """A client declares an exchange, unless there is one of that name."""
        if name not in self.broker.vhost().exchanges:
            client.channel.exchange_declare(name, exchange_type, durable=durable)
        return name

    @step("bind", client=clients, queue=queues, exchange=exchanges, key=strategies.binding_keys())
    def bind(self, client: Client, queue: str, exchange: str, key: str) -> None:
        """A client binds a queue to an exchange, if both are there."""
        if self.has_queue(queue) and exchange in self.broker.vhost().exchanges:
            client.channel.queue_bind(queue, exchange, key)

    @step("publish", client=clients, queue=queues, data=st.data())
    def publish_to_queue(self, client: Client, queue: str, data: st.DataObject) -> None:
        """A client publishes to the default exchange, with the name of a queue."""
        self._publish(client, data.draw(strategies.messages(keys=st.just(queue))))

    @step("publish", client=clients, exchange=exchanges, data=st.data())
    def publish_to_exchange(self, client: Client, exchange: str, data: st.DataObject) -> None:
        """A client publishes to an exchange, if it is there."""
        if exchange in self.broker.vhost().exchanges:
            self._publish(client, data.draw(strategies.messages(st.just(exchange))))

    def _publish(self, client: Client, message: strategies.Message) -> None:
        message.publish(client.channel)
        self.on_published(message)

    @step("consume", client=clients, queue=queues, prefetch_count=st.integers(0, 2))
    def consume(self, client: Client, queue: str, prefetch_count: int) -> None:
        """A client consumes from a queue, if it is there, and holds what it receives until another step settles it."""
        if self.has_queue(queue):
            channel = client.channel
            channel.basic_qos(prefetch_count=prefetch_count)
            channel.basic_consume(queue, lambda _, method, __, body: self._receive(client, method, queue, body))

    @step("get", client=clients, queue=queues)
    def get(self, client: Client, queue: str) -> None:
        """A client gets a message, if the queue is there and has one."""
        if self.has_queue(queue):
            method, _, body = client.channel.basic_get(queue)
            if method is not None:
                self._receive(client, method, queue, body)

    @step("ack", client=clients, index=st.integers(0, 3))
    def ack(self, client: Client, index: int) -> None:
        """A client acknowledges something that it holds."""
        for delivery in self._taken(client, index):
            client.channel.basic_ack(delivery.delivery_tag)
            self.on_settled(delivery, False)

    @step("nack", client=clients, index=st.integers(0, 3))
    def nack(self, client: Client, index: int) -> None:
        """A client gives something back that it holds."""
        for delivery in self._taken(client, index):
            client.channel.basic_nack(delivery.delivery_tag, requeue=True)
            self.on_settled(delivery, True)

    @step("reject", client=clients, index=st.integers(0, 3))
    def reject(self, client: Client, index: int) -> None:
        """A client refuses something that it holds, for good."""
        for delivery in self._taken(client, index):
            client.channel.basic_reject(delivery.delivery_tag, requeue=False)
            self.on_settled(delivery, False)

    # -- what befalls the broker -------------------------------------------------------------------------------------

    @step("stop")
    def stop(self) -> None:
        """The broker shuts down, and is started again."""
        self.broker.stop()
        self._restart(crashed=False)

    @step("crash")
    def crash(self) -> None:
        """The broker dies, and is started again."""
        self.broker.crash()
        self._restart(crashed=True)

    @step("advance", seconds=st.sampled_from((1, 60, 900)))
    def advance(self, seconds: int) -> None:
        """Time passes."""
        self.broker.advance(seconds)

    # -- what must be so after every step ----------------------------------------------------------------------------

    @invariant()
    def clients_have_read_and_the_broker_is_sound(self) -> None:
        """Clients take what has arrived; then the broker's own invariants hold."""
        for client in self.all_clients:
            client.read()
        self.broker.simulation.world.check()

    # -- for your rules ----------------------------------------------------------------------------------------------

    def has_queue(self, name: str) -> bool:
        """Whether there is a queue of this name."""
        return name in self.broker.vhost().queues

    def _receive(self, client: Client, method: Any, queue: str, body: bytes) -> None:
        client.held.append(Delivery(method.delivery_tag, queue, body))
        self.on_received(client.held[-1])

    def _taken(self, client: Client, index: int) -> list[Delivery]:
        assert client.channel  # one that was closed is opened again, and holds nothing
        return [client.held.pop(index % len(client.held))] if client.held else []

    def _restart(self, crashed: bool) -> None:
        for client in self.all_clients:
            client.lose()
        self.broker.restart()
        self.on_restarted(crashed)
