"""Whatever clients and operators do, legal or not: the node answers as a node does, and what must hold holds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import fakeamqp
from fakeamqp.simulation.world.network import Stream
from fakeamqp.spec.errors import REPLY_NAMES
from fakeamqp.spec.methods import (
    BasicAck,
    BasicDeliver,
    BasicGet,
    BasicGetOk,
    BasicNack,
    BasicPublish,
    BasicReject,
    ChannelClose,
    ChannelCloseOk,
    ChannelOpen,
    ChannelOpenOk,
    ConfirmSelect,
    ConnectionClose,
    ConnectionCloseOk,
    ConnectionOpen,
    ConnectionStartOk,
    ConnectionTuneOk,
    EndOfStream,
    ExchangeBind,
    ExchangeDeclare,
    Heartbeat,
    Method,
    QueueBind,
    QueueDeclare,
    TxCommit,
    TxSelect,
)
from tests.model import _words as words
from tests.model._sizes import size

SHORT_STRING_MAX = 255
CLIENTS = 3
TRANSACTIONAL = 2
CHANNELS: dict[int, Method | None] = {1: None, TRANSACTIONAL: TxSelect(), 3: ConfirmSelect()}
"""The channels that well-behaved clients open, and what they say first there."""

clients = st.integers(0, CLIENTS - 1)
channel_numbers = st.sampled_from((1, 1, 1, 2, 2, 3, 0, 2047, 65535))
users = st.sampled_from(words.USERS)
vhosts = st.sampled_from(words.VHOSTS)
patterns = st.sampled_from((".*", ".*", "", "^a", "(", "{username}"))

OPERATIONS: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "add_vhost": (vhosts,),
    "delete_vhost": (vhosts,),
    "add_user": (users, st.just("secret")),
    "change_password": (users, st.just("secret")),
    "set_user_tags": (users, st.sampled_from(((), ("impersonator",)))),
    "delete_user": (users,),
    "set_permissions": (users, patterns, patterns, patterns, vhosts),
    "clear_permissions": (users, vhosts),
    "set_topic_permissions": (users, st.sampled_from(("amq.topic", "a")), patterns, patterns, vhosts),
    "close_connections": (st.just("maintenance"), st.none() | vhosts),
}
operations = st.one_of([st.tuples(st.just(name), st.tuples(*each)) for name, each in OPERATIONS.items()])

speakers = {"client": clients, "number": st.sampled_from((1, 2, 3))}
FURNITURE = (
    *(QueueDeclare(name, durable=True, arguments=each) for name, each in words.QUEUE_ARGUMENTS.items()),
    ExchangeDeclare("a", "topic", durable=True),
    ExchangeDeclare("b", "headers", arguments={"alternate-exchange": "c"}),
    ExchangeDeclare("c", "fanout", auto_delete=True),
    QueueBind("a", "a", "#"),
    QueueBind("b", "c"),
    QueueBind("c", "b", arguments={"x-match": "any", "a": 5}),
    ExchangeBind("b", "a", "a.b"),
    *(BasicPublish("", name, body=b"old") for name in (*words.QUEUE_ARGUMENTS,) * 3),
    *(BasicGet(name) for name in words.QUEUE_ARGUMENTS if name != "d"),
)
"""What is there at the start."""


class Client:
    """A client that says anything, and makes sure that what it hears makes sense."""

    def __init__(self, broker: fakeamqp.Broker) -> None:
        self.broker = broker
        self.stream: Stream = broker.simulation.network.open_stream()
        self.has_ended = False
        self.is_closing = False
        self.channels: dict[int, int] = {}
        """The channels that are open by what was heard, with the last delivery tag of each."""
        self.heard: dict[int, list[int]] = {}
        """Delivery tags, by channel, that may wait for an acknowledgement."""
        self.closed_by_server: set[int] = set()
        """Channels whose close nobody has answered."""
        self.stream.greet()

    def say(self, number: int, method: Method) -> None:
        """Send a method; what fakeamqp does not support has changed nothing."""
        before = self.broker.vhosts() if self.broker.is_running and "arguments" in method.__slots__ else None
        try:
            self.stream.send(number, method)
        except fakeamqp.UnsupportedFeature:
            assert before is None or self.broker.vhosts() == before

    def open(self, number: int) -> None:
        """Open a channel, in the mode that this number stands for."""
        self.say(number, ChannelOpen())
        if CHANNELS.get(number) is not None:
            self.say(number, CHANNELS[number])

    def aimed(self, number: int, method: Method) -> Method:
        """An acknowledgement only of what was delivered, and where nothing was a get; any other method as it is."""
        if not isinstance(method, BasicAck | BasicNack | BasicReject):
            return method
        heard = self.heard.get(number)
        if not heard:
            return BasicGet("a")
        return method.replace(delivery_tag=heard.pop(method.delivery_tag % len(heard)))

    def listen(self) -> None:
        """Take and check all that has arrived."""
        while (received := self.stream.receive()) is not None:
            assert not self.has_ended, f"{received} after the end"
            number, method = received
            if number:
                self._heard_on_channel(number, method)
            else:
                self._heard_on_connection(method)

    def _heard_on_connection(self, method: Method) -> None:
        if isinstance(method, EndOfStream):
            self.has_ended = True
        elif isinstance(method, ConnectionClose):
            assert_reply(method.reply_code, method.reply_text)
            self.is_closing = True
            self.channels.clear()
        elif isinstance(method, ConnectionCloseOk):
            self.is_closing = True
        elif not isinstance(method, Heartbeat):
            assert not self.is_closing, f"{method} after the close"
            assert method.INDEX[0] == ConnectionClose.INDEX[0]

    def _heard_on_channel(self, number: int, method: Method) -> None:
        assert not self.is_closing, f"{method} after the close"
        if isinstance(method, ChannelOpenOk):
            assert number not in self.channels
            self.closed_by_server.discard(number)
            self.channels[number] = 0
            self.heard[number] = []
        elif isinstance(method, ChannelCloseOk):
            self.channels.pop(number, None)
        else:
            assert number in self.channels, f"{method} on channel {number}, which is not open"
            if isinstance(method, ChannelClose):
                assert_reply(method.reply_code, method.reply_text)
                del self.channels[number]
                self.closed_by_server.add(number)
            elif isinstance(method, BasicDeliver | BasicGetOk):
                self.channels[number] += 1
                assert method.delivery_tag == self.channels[number]
                self.heard[number].append(method.delivery_tag)


def assert_reply(code: int, text: str) -> None:
    """What a close says is what RabbitMQ might say, and fits a short string."""
    assert code in REPLY_NAMES
    assert text.startswith(REPLY_NAMES[code])
    assert len(text.encode()) <= SHORT_STRING_MAX


class FuzzMachine(RuleBasedStateMachine):
    """Clients and operators who do not know what they do."""

    @initialize(version=st.sampled_from(("3.10", "4.0")), sync_interval=st.sampled_from((0.0, 0.0, 0.5)))
    def start(self, version: str, sync_interval: float) -> None:
        users = {"worker": "secret"}
        self.broker = fakeamqp.Broker(version=version, vhosts=["other"], users=users, sync_interval=sync_interval)
        self.clients = [Client(self.broker) for _ in range(CLIENTS)]
        for client in range(CLIENTS):
            self.log_in(client, "guest", "/", 3)
        for method in FURNITURE:
            self.clients[0].say(1, method)

    @property
    def is_running(self) -> bool:
        return self.broker.is_running

    # -- sessions -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_running)
    @rule(client=clients, drops=st.booleans())
    def reconnect(self, client: int, drops: bool) -> None:
        if drops:
            self.clients[client].stream.close()
        self.clients[client] = Client(self.broker)

    @rule(client=clients, user=st.just("guest") | users, vhost=st.just("/") | vhosts, steps=st.integers(1, 3))
    def log_in(self, client: int, user: str, vhost: str, steps: int) -> None:
        """A handshake as it should be, or the beginning of one."""
        capabilities = {"consumer_cancel_notify": True, "authentication_failure_close": user != "nobody"}
        password = {"guest": "guest"}.get(user, "secret")
        response = f"\0{user}\0{password}".encode()
        handshake = (
            ConnectionStartOk({"capabilities": capabilities}, "PLAIN", response),
            ConnectionTuneOk(2047, 131072, 10),
            ConnectionOpen(vhost),
        )
        for method in handshake[:steps]:
            self.clients[client].say(0, method)
        for number in CHANNELS if steps == len(handshake) else ():
            self.clients[client].open(number)

    @rule(client=clients, method=words.handshake_methods)
    def say_something_about_the_connection(self, client: int, method: Method) -> None:
        self.clients[client].say(0, method)

    @rule(client=clients)
    def recover(self, client: int) -> None:
        """Answer closes as a well-behaved client does, log in again where need be, and go on."""
        speaker = self.clients[client]
        speaker.listen()
        for number in sorted(speaker.closed_by_server):
            speaker.say(number, ChannelCloseOk())
            speaker.open(number)
        if speaker.is_closing or speaker.has_ended:
            speaker.say(0, ConnectionCloseOk())
        speaker.listen()
        if self.is_running and (speaker.has_ended or not speaker.channels):
            self.repair()
            self.reconnect(client, True)
            self.log_in(client, "guest", "/", 3)

    def repair(self) -> None:
        """There is somebody who may do everything somewhere."""
        for name, arguments in (
            ("add_vhost", ("/",)),
            ("add_user", ("guest", "guest")),
            ("set_permissions", ("guest", ".*", ".*", ".*", "/")),
        ):
            self.operate((name, arguments))

    # -- methods --------------------------------------------------------------------------------------------------

    @rule(client=clients, number=channel_numbers, method=words.every_method)
    def say_anything(self, client: int, number: int, method: Method) -> None:
        self.clients[client].say(number, method)

    @rule(**speakers, methods=st.lists(words.channel_methods, min_size=1, max_size=10))
    def use_a_channel(self, client: int, number: int, methods: list[Method]) -> None:
        for method in methods:
            self.clients[client].say(number, method)
            self.recover(client)

    @rule(**speakers, methods=st.lists(words.messaging_methods, min_size=10, max_size=30))
    def send_messages(self, client: int, number: int, methods: list[Method]) -> None:
        for method in methods:
            self.use_a_channel(client, number, [self.clients[client].aimed(number, method)])
        if number == TRANSACTIONAL:
            self.use_a_channel(client, number, [TxCommit()])

    @rule(**speakers, methods=st.lists(words.messaging_methods, min_size=10, max_size=30))
    def send_messages_without_listening(self, client: int, number: int, methods: list[Method]) -> None:
        for method in methods:
            self.clients[client].say(number, self.clients[client].aimed(number, method))

    # -- the world ------------------------------------------------------------------------------------------------

    @rule(operation=operations)
    def operate(self, operation: tuple[str, tuple[Any, ...]]) -> None:
        name, arguments = operation
        with contextlib.suppress(fakeamqp.Misuse):
            getattr(self.broker, name)(*arguments)

    @rule(seconds=st.sampled_from((0.0, 0.1, 1.0, 30.0)))
    def advance(self, seconds: float) -> None:
        self.broker.advance(seconds)

    @rule(microseconds=st.sampled_from((1, 1_000_000, 50_000_000)))
    def let_clients_be_silent(self, microseconds: int) -> None:
        self.broker.simulation.world.move_clock(self.broker.simulation.world.clock.now_us + microseconds)

    @precondition(lambda self: self.is_running)
    @rule(graceful=st.booleans())
    def go_down(self, graceful: bool) -> None:
        go: Callable[[], None] = self.broker.stop if graceful else self.broker.crash
        go()

    @precondition(lambda self: not self.is_running)
    @rule()
    def restart(self) -> None:
        self.broker.restart()
        for client in range(CLIENTS):
            self.reconnect(client, True)
            self.log_in(client, "guest", "/", 3)

    @invariant()
    def all_is_well(self) -> None:
        for client in self.clients:
            client.listen()
        if self.is_running:
            self.broker.simulation.world.check()


TestFuzz = FuzzMachine.TestCase
TestFuzz.settings = size(200, steps=40)
