"""The operator's commands: what they change, and whom they disconnect."""

from __future__ import annotations

import pytest

import fakeamqp
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.methods import (
    BasicConsume,
    BasicGet,
    BasicPublish,
    ChannelClose,
    ConnectionClose,
    EndOfStream,
    ExchangeBind,
    ExchangeDeclare,
    Method,
    QueueBind,
    QueueDeclare,
)
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.testing.direct import DirectConnection, connect


@pytest.fixture
def broker() -> fakeamqp.Broker:
    """A broker with a second virtual host, and a second user."""
    return fakeamqp.Broker(vhosts=["sales"], users={"ann": "secret"})


def heard(connection: DirectConnection) -> list[Method]:
    return [method for _, method in connection.receive()]


class TestVirtualHosts:
    def test_a_new_one_has_the_predeclared_exchanges_and_lets_guest_in(self, broker: fakeamqp.Broker) -> None:
        broker.add_vhost("new")
        assert [*broker.vhost("new").exchanges, "amq.rabbitmq.event"] == list(broker.vhost("/").exchanges)
        connect(broker, virtual_host="new")
        with pytest.raises(Misuse, match="access to vhost 'new' refused for user 'ann'"):
            connect(broker, "ann", "secret", virtual_host="new")

    def test_one_of_that_name_is_enough(self, broker: fakeamqp.Broker) -> None:
        with pytest.raises(Misuse, match="there is a virtual host 'sales' already"):
            broker.add_vhost("sales")

    def test_one_that_does_not_exist_is_a_misuse_that_names_those_that_do(self, broker: fakeamqp.Broker) -> None:
        with pytest.raises(Misuse, match=r"no virtual host 'nowhere'; there is '/', 'sales'\. Name it in Broker"):
            broker.delete_vhost("nowhere")

    def test_all_that_is_in_a_deleted_one_goes(self, broker: fakeamqp.Broker) -> None:
        broker.set_topic_permissions("ann", "amq.topic", ".*", ".*", vhost="sales")
        channel = connect(broker, virtual_host="sales").channel()
        channel.call(QueueDeclare("orders", durable=True))
        channel.call(ExchangeDeclare("prices", "fanout", durable=True))
        channel.call(QueueBind("orders", "prices"))
        channel.call(ExchangeBind("prices", "amq.topic", "#"))
        channel.send(BasicPublish("prices", "", properties=BasicProperties(delivery_mode=2)))
        broker.delete_vhost("sales")
        assert [vhost.name for vhost in broker.vhosts()] == ["/"]
        broker.crash()
        broker.restart()
        assert [vhost.name for vhost in broker.vhosts()] == ["/"]
        broker.add_vhost("sales")
        assert not broker.vhost("sales").queues
        with pytest.raises(Misuse, match="refused for user 'ann'"):
            connect(broker, "ann", "secret", virtual_host="sales")

    def test_its_clients_are_disconnected_and_no_others(self, broker: fakeamqp.Broker) -> None:
        there, elsewhere = connect(broker, virtual_host="sales"), connect(broker)
        broker.delete_vhost("sales")
        assert heard(there) == [ConnectionClose(320, "CONNECTION_FORCED - vhost 'sales' is deleted")]
        assert heard(elsewhere) == []


class TestUsers:
    def test_a_new_user_may_enter_nowhere(self, broker: fakeamqp.Broker) -> None:
        broker.add_user("bob", "secret")
        with pytest.raises(Misuse, match="access to vhost '/' refused for user 'bob'"):
            connect(broker, "bob", "secret")
        broker.set_permissions("bob", "", "", "")
        connect(broker, "bob", "secret")

    def test_one_of_that_name_is_enough(self, broker: fakeamqp.Broker) -> None:
        with pytest.raises(Misuse, match="there is a user 'ann' already"):
            broker.add_user("ann", "other")

    @pytest.mark.parametrize(
        "command",
        [
            lambda broker: broker.delete_user("bob"),
            lambda broker: broker.change_password("bob", "secret"),
            lambda broker: broker.set_user_tags("bob", ()),
            lambda broker: broker.set_permissions("bob", "", "", ""),
            lambda broker: broker.clear_permissions("bob"),
            lambda broker: broker.set_topic_permissions("bob", "amq.topic", "", ""),
        ],
        ids=["delete", "password", "tags", "permissions", "clear", "topics"],
    )
    def test_one_that_does_not_exist_is_a_misuse_that_names_those_that_do(
        self, broker: fakeamqp.Broker, command: object
    ) -> None:
        with pytest.raises(Misuse, match="no user 'bob'; there is 'guest', 'ann'"):
            command(broker)  # type: ignore[operator]

    def test_a_new_password_counts_from_the_next_login(self, broker: fakeamqp.Broker) -> None:
        connected = connect(broker, "ann", "secret")
        broker.change_password("ann", "new")
        connect(broker, "ann", "new")
        with pytest.raises(Misuse, match="ACCESS_REFUSED"):
            connect(broker, "ann", "secret")
        assert heard(connected) == []

    def test_a_tag_may_let_a_user_speak_for_others(self, broker: fakeamqp.Broker) -> None:
        channel = connect(broker, "ann", "secret").channel()
        publish = BasicPublish("", "orders", properties=BasicProperties(user_id="bob"))
        broker.set_user_tags("ann", ("impersonator",))
        channel.send(publish)
        assert channel.receive() == []
        broker.set_user_tags("ann", ())
        close = channel.call(publish)
        assert isinstance(close, ChannelClose)
        assert close.reply_code == 406

    def test_a_deleted_user_is_disconnected_and_forgotten(self, broker: fakeamqp.Broker) -> None:
        broker.set_topic_permissions("ann", "amq.topic", ".*", ".*")
        connected, elsewhere = connect(broker, "ann", "secret"), connect(broker)
        broker.delete_user("ann")
        assert heard(connected) == [ConnectionClose(320, "CONNECTION_FORCED - user 'ann' is deleted")]
        assert heard(elsewhere) == []
        broker.add_user("ann", "secret")
        with pytest.raises(Misuse, match="access to vhost '/' refused"):
            connect(broker, "ann", "secret")


class TestPermissions:
    def test_cleared_ones_let_nobody_in(self, broker: fakeamqp.Broker) -> None:
        for _ in range(2):
            broker.clear_permissions("ann")
        with pytest.raises(Misuse, match="access to vhost '/' refused for user 'ann'"):
            connect(broker, "ann", "secret")
        connect(broker, "ann", "secret", virtual_host="sales")

    @pytest.mark.parametrize(
        "command",
        [
            lambda broker: broker.set_permissions("ann", "(", "", ""),
            lambda broker: broker.set_topic_permissions("ann", "amq.topic", "", "("),
        ],
        ids=["permissions", "topic permissions"],
    )
    def test_a_pattern_must_be_a_regular_expression(self, broker: fakeamqp.Broker, command: object) -> None:
        with pytest.raises(Misuse, match=r"'\(' is not a regular expression"):
            command(broker)  # type: ignore[operator]

    def test_they_outlive_a_crash(self, broker: fakeamqp.Broker) -> None:
        broker.set_permissions("ann", "", "", "^orders$")
        broker.crash()
        broker.restart()
        channel = connect(broker, "ann", "secret").channel()
        close = channel.call(BasicGet("bills"))
        assert isinstance(close, ChannelClose)
        assert close.reply_code == 403


class TestClosingConnections:
    REASON = ConnectionClose(320, "CONNECTION_FORCED - maintenance")

    def test_of_everybody(self, broker: fakeamqp.Broker) -> None:
        connections = [connect(broker), connect(broker, virtual_host="sales")]
        broker.close_connections("maintenance")
        assert [heard(each) for each in connections] == [[self.REASON]] * 2

    def test_of_one_virtual_host(self, broker: fakeamqp.Broker) -> None:
        there, elsewhere = connect(broker, virtual_host="sales"), connect(broker)
        broker.close_connections("maintenance", vhost="sales")
        assert (heard(there), heard(elsewhere)) == ([self.REASON], [])

    def test_whoever_has_not_opened_is_just_dropped(self, broker: fakeamqp.Broker) -> None:
        stream = broker.simulation.network.open_stream()
        stream.greet()
        stream.receive()
        broker.close_connections("maintenance")
        assert stream.receive() == (0, EndOfStream())

    def test_what_they_held_is_ready_again(self, broker: fakeamqp.Broker) -> None:
        channel = connect(broker).channel()
        channel.call(QueueDeclare("orders"))
        channel.send(BasicPublish("", "orders"))
        channel.call(BasicGet("orders"))
        channel.send(BasicConsume("orders"))
        broker.close_connections("maintenance")
        queue = broker.vhost().queue("orders")
        assert (len(queue.messages), queue.unacked, queue.consumers) == (1, (), ())
