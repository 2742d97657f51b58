"""What leans on pika's privates: it is in force with this pika, gives way on another, and nobody misses a thing."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pika
import pika.callback
import pytest
from pika import spec
from pika.adapters import blocking_connection
from pika.callback import CallbackManager
from pika.channel import Channel
from pika.connection import Connection

import fakeamqp
from fakeamqp.clients import callbacks
from fakeamqp.clients.callbacks import QuickCallbacks
from fakeamqp.clients.parameters import deepcopy, quick_copy
from fakeamqp.clients.transport import MESSAGES, takes_messages


class TestCallbacks:
    def test_this_pika_has_what_they_lean_on(self) -> None:
        with fakeamqp.Broker(), pika.BlockingConnection() as connection:
            assert type(connection._impl.callbacks) is QuickCallbacks

    def test_a_pika_without_decorators_keeps_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(callbacks, "IS_KNOWN", False)
        with fakeamqp.Broker(), pika.BlockingConnection() as connection:
            assert type(connection._impl.callbacks) is CallbackManager
            assert connection.channel().queue_declare("").method.NAME == "Queue.DeclareOk"

    def test_whoever_replaces_a_method_of_pikas_is_asked(self) -> None:
        with (
            fakeamqp.Broker(),
            mock.patch.object(
                CallbackManager, "process", autospec=True, side_effect=CallbackManager.process
            ) as process,
        ):
            pika.BlockingConnection().close()
        assert process.called

    @pytest.mark.parametrize(
        "key", [spec.Basic.Ack, spec.Basic.Ack(), "Basic.Ack", 5, pika.frame.Method(1, spec.Basic.Ack())], ids=repr
    )
    @pytest.mark.parametrize("prefix", [1, "1"])
    def test_they_do_what_pikas_do(self, prefix: Any, key: Any) -> None:
        assert self._story(QuickCallbacks(), prefix, key) == self._story(CallbackManager(), prefix, key)

    def _story(self, table: CallbackManager, prefix: Any, key: Any) -> list[Any]:
        called: list[Any] = []
        story: list[Any] = [table.pending(prefix, key), table.process(prefix, key, self), table.remove(prefix, key)]
        story.append(table.add(prefix, key, called.append, arguments={"delivery_tag": 1}))
        story.append(table.add(prefix=prefix, key=key, callback=called.append, one_shot=False))
        story.append(table.pending(prefix, key))
        for tag in (2, 1, 1):
            story += [table.process(prefix, key, self, spec.Basic.Ack(tag)), len(called), table.pending(prefix, key)]
        story += [table.remove(prefix, key, called.append), table.pending(prefix, key), table.cleanup(prefix)]
        return story

    def test_cleanup_forgets_a_prefix(self) -> None:
        quick = QuickCallbacks()
        quick.add(prefix=7, key="a", callback=print)
        assert quick.cleanup(7)
        assert not quick.cleanup("7")
        assert quick.pending(7, "a") is None


class TestParameters:
    PARAMETERS = (
        pika.ConnectionParameters(
            "host",
            1,
            "vhost",
            pika.PlainCredentials("me", "secret", erase_on_connect=True),
            client_properties={"a": [1]},
        ),
        pika.URLParameters("amqp://me:secret@host:7/sales?heartbeat=5&blocked_connection_timeout=3"),
        pika.connection.Parameters(),
        pika.ConnectionParameters(credentials=pika.credentials.ExternalCredentials(), tcp_options={"TCP_KEEPIDLE": 60}),
    )

    @pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda each: type(each).__name__)
    def test_the_copy_is_equal_and_shares_nothing_that_can_change(self, parameters: Any) -> None:
        made = deepcopy(parameters)
        assert type(made) is type(parameters)
        assert made is not parameters
        assert made == parameters
        for name in ("_credentials", "_client_properties", "_tcp_options"):
            original, copied = getattr(parameters, name), getattr(made, name)
            assert original == copied
            assert original is None or original is not copied

    def test_this_pika_copies_with_it(self) -> None:
        plain = vars(pika.connection)["copy"]
        with fakeamqp.Broker():
            assert vars(pika.connection)["copy"] is quick_copy
        assert vars(pika.connection)["copy"] is plain

    def test_a_pika_that_copies_otherwise_is_redirected_all_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(pika.connection, "copy")
        with fakeamqp.Broker():
            assert not hasattr(pika.connection, "copy")

    def test_a_class_of_the_users_is_copied_in_its_own_way(self) -> None:
        class Mine(pika.ConnectionParameters):
            def __deepcopy__(self, memo: Any) -> Any:
                return pika.ConnectionParameters("copied")

        with fakeamqp.Broker(), pika.BlockingConnection(Mine()) as connection:
            assert connection._impl.params.host == "copied"

    def test_the_users_parameters_stay_as_they_are(self) -> None:
        parameters = pika.ConnectionParameters(heartbeat=None, ssl_options=None)
        with fakeamqp.Broker(), pika.BlockingConnection(parameters):
            assert parameters == pika.ConnectionParameters(heartbeat=None)


class TestNamedtuple:
    def test_this_pika_makes_one_for_each_connection(self) -> None:
        assert "namedtuple" in vars(blocking_connection)

    def test_a_pika_without_it_is_redirected_all_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        create = pika.BlockingConnection._create_connection
        monkeypatch.setitem(create.__globals__, "namedtuple", create.__globals__["namedtuple"])
        with fakeamqp.Broker():
            pika.BlockingConnection().close()
        monkeypatch.delattr(blocking_connection, "namedtuple")
        with fakeamqp.Broker():
            assert not hasattr(blocking_connection, "namedtuple")


def consumed(connection: pika.BlockingConnection) -> list[bytes]:
    """Publish, return, get and consume a message each; what arrived."""
    channel = connection.channel()
    channel.queue_declare("work")
    bodies: list[bytes] = []
    channel.add_on_return_callback(lambda channel, method, properties, body: bodies.append(body))
    channel.basic_publish("", "nowhere", b"returned", mandatory=True)
    channel.basic_publish("", "work", b"got", pika.BasicProperties(headers={"a": 1}))
    channel.basic_publish("", "work", b"")
    method, properties, body = channel.basic_get("work")
    assert method is not None
    assert (method.routing_key, properties.headers) == ("work", {"a": 1})
    bodies.append(body)
    channel.basic_consume("work", lambda channel, method, properties, body: bodies.append(body), auto_ack=True)
    connection.process_data_events()
    return bodies


BODIES = [b"got", b"returned", b""]


class TestMessages:
    def test_this_pika_takes_them_whole(self) -> None:
        with fakeamqp.Broker(), pika.BlockingConnection() as connection:
            assert takes_messages(type(connection._impl))
            with mock.patch.object(Channel, "_handle_content_frame", side_effect=AssertionError("a frame")):
                assert consumed(connection) == BODIES

    def test_they_are_counted_as_pika_counts_them(self) -> None:
        def counted() -> tuple[int, int]:
            with fakeamqp.Broker(), pika.BlockingConnection() as connection:
                consumed(connection)
                return connection._impl.frames_received, connection._impl.bytes_received

        whole = counted()
        with mock.patch.object(
            Connection, "_process_callbacks", autospec=True, side_effect=Connection._process_callbacks
        ):
            assert counted() == whole

    @pytest.mark.parametrize("name", ["_process_frame", "_process_callbacks", "_deliver_frame_to_channel"])
    def test_a_class_that_watches_frames_is_given_frames(self, name: str) -> None:
        seen: list[str] = []

        def watch(self: Any, value: Any) -> Any:
            seen.append(value.NAME)
            return getattr(Connection, name)(self, value)

        class Watching(pika.SelectConnection):
            pass

        setattr(Watching, name, watch)
        with fakeamqp.Broker(), pika.BlockingConnection(_impl_class=Watching) as connection:
            assert not takes_messages(type(connection._impl))
            assert consumed(connection) == BODIES
        assert "Body" in {each.title() for each in seen}

    def test_a_connection_whose_frames_are_watched_is_given_frames(self) -> None:
        with fakeamqp.Broker(), pika.BlockingConnection() as connection:
            process = connection._impl._process_frame
            with mock.patch.object(connection._impl, "_process_frame", side_effect=process) as watched:
                assert consumed(connection) == BODIES
            assert any(isinstance(call.args[0], pika.frame.Body) for call in watched.call_args_list)

    def test_who_has_a_callback_for_the_frame_is_called(self) -> None:
        with fakeamqp.Broker():
            connection = pika.BlockingConnection()
            channel = connection.channel()
            channel.queue_declare("work")
            frames: list[Any] = []
            channel._impl.add_callback(frames.append, [spec.Basic.Deliver], one_shot=False)
            channel.basic_publish("", "work", b"one")
            with pytest.raises(AttributeError, match="method"):  # as pika does: it has a header without a method then
                channel.basic_consume("work", print, auto_ack=True)
            assert [type(each.method) for each in frames] == [spec.Basic.Deliver]

    @pytest.mark.parametrize("name", MESSAGES.values())
    def test_a_pika_with_other_ways_is_given_frames(self, name: str) -> None:
        renamed = vars(Channel)[name]
        with mock.patch.object(Channel, name):
            delattr(Channel, name)
            assert not takes_messages(pika.SelectConnection)
            setattr(Channel, name, renamed)
