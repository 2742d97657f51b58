"""Broker: how it is made, and whom it redirects for how long."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pika
import pika.compat
import pytest
from pika import BlockingConnection, SelectConnection
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.base_connection import BaseConnection
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.select_connection import IOLoop
from pika.connection import Connection

import fakeamqp
from fakeamqp import Broker, Misuse, UnsupportedFeature

# -- how it is made --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", "3", "3.9", "4.0.5", "latest", 4.0])
def test_an_unknown_version_is_refused_with_those_that_are_known(version: Any) -> None:
    with pytest.raises(Misuse, match=re.escape("version= takes one of 3.10, 4.0")):
        Broker(version=version)


@pytest.mark.parametrize(
    ("vhosts", "names"),
    [
        ((), ["/"]),
        ("billing", ["/", "billing"]),
        (["billing", "/", "shop"], ["/", "billing", "shop"]),
        (["billing", "billing"], ["/", "billing"]),
    ],
)
def test_vhosts_are_a_name_or_several_and_the_default_one_always_exists(vhosts: Any, names: list[str]) -> None:
    assert [vhost.name for vhost in Broker(vhosts=vhosts).vhosts()] == names


@pytest.mark.parametrize("vhost", ["/", "billing"])
@pytest.mark.parametrize(("user", "password"), [("alice", "secret"), ("guest", "guest")])
def test_users_may_do_everything_in_every_vhost(user: str, password: str, vhost: str) -> None:
    broker = Broker(vhosts=["billing"], users={"alice": "secret"})
    credentials = pika.PlainCredentials(user, password)
    channel = broker.connect(pika.ConnectionParameters(virtual_host=vhost, credentials=credentials)).channel()
    channel.queue_declare("orders")
    channel.basic_publish("", "orders", b"one")
    assert channel.basic_get("orders")[2] == b"one"


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan"), float("inf")])
def test_a_sync_interval_is_a_span_of_time(seconds: float) -> None:
    with pytest.raises(Misuse, match="is no span of time; give a finite number of seconds from 0 on"):
        Broker(sync_interval=seconds)


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="sede"):
        Broker(sede=7)  # type: ignore[call-arg]


def test_one_seed_gives_the_same_names_and_another_gives_others() -> None:
    def name(seed: int) -> str:
        return str(Broker(seed=seed).connect().channel().queue_declare("").method.queue)

    assert name(7) == name(7) != name(8)


# -- whom it redirects -----------------------------------------------------------------------------------------------


def pika_as_it_is() -> dict[tuple[Any, str], Any]:
    owners = (pika.compat, IOLoop, Connection, BaseConnection, SelectConnection, AsyncioConnection, BlockingConnection)
    return {(owner, name): value for owner in owners for name, value in vars(owner).items()}


def test_a_broker_redirects_names_that_were_imported_earlier(broker: Broker) -> None:
    with BlockingConnection() as connection:
        connection.channel().queue_declare("orders")
    assert [queue.name for queue in broker.list_queues()] == ["orders"]


def test_whatever_host_a_program_names_it_reaches_the_broker(broker: Broker) -> None:
    parameters = pika.URLParameters("amqps://guest:guest@rabbitmq.example.invalid:1/%2f?connection_attempts=3")
    assert pika.BlockingConnection(parameters).is_open


def test_pika_is_restored_exactly() -> None:
    before = pika_as_it_is()
    with Broker():
        assert pika_as_it_is() != before
    assert pika_as_it_is() == before


def test_pika_is_restored_after_an_exception() -> None:
    before = pika_as_it_is()
    with pytest.raises(RuntimeError, match="mine"), Broker():
        raise RuntimeError("mine")
    assert pika_as_it_is() == before


def test_a_broker_can_be_entered_again_and_has_kept_what_was_there() -> None:
    broker = Broker()
    with broker:
        pika.BlockingConnection().channel().queue_declare("orders")
    with broker:
        pika.BlockingConnection().channel().queue_declare("orders", passive=True)


@pytest.mark.parametrize("second", ["the same", "another"])
def test_a_second_redirection_is_refused_and_leaves_the_first_one_alone(broker: Broker, second: str) -> None:
    with pytest.raises(Misuse, match=re.escape("leave that `with` block first, or reach a second broker with its")):
        (broker if second == "the same" else Broker()).__enter__()
    pika.BlockingConnection().channel().queue_declare("orders")
    assert [queue.name for queue in broker.list_queues()] == ["orders"]


def test_after_a_refused_redirection_pika_is_restored_as_ever() -> None:
    before = pika_as_it_is()
    with Broker(), pytest.raises(Misuse):
        Broker().__enter__()
    assert pika_as_it_is() == before
    with Broker():
        assert pika.BlockingConnection().is_open


def test_subclasses_of_a_users_are_redirected(broker: Broker) -> None:
    class Select(SelectConnection):
        def __init__(self, name: str) -> None:
            super().__init__(pika.ConnectionParameters(), on_open_callback=self.opened)
            self.name = name

        def opened(self, connection: SelectConnection) -> None:
            connection.ioloop.stop()

    class Blocking(BlockingConnection):
        def __init__(self, name: str) -> None:
            super().__init__(pika.ConnectionParameters())
            self.name = name

    select, blocking = Select("one"), Blocking("two")
    select.ioloop.start()
    assert (select.name, select.is_open, isinstance(select, Select)) == ("one", True, True)
    assert (blocking.name, blocking.is_open, isinstance(blocking, Blocking)) == ("two", True, True)


def test_create_connection_is_redirected(broker: Broker) -> None:
    loop = IOLoop()
    done: list[Any] = []

    def on_done(result: Any) -> None:
        done.append(result)
        loop.stop()

    SelectConnection.create_connection([pika.ConnectionParameters()], on_done, custom_ioloop=loop)
    loop.start()
    assert isinstance(done[0], SelectConnection)
    assert done[0].is_open


# -- as a decorator --------------------------------------------------------------------------------------------------


def test_a_decorated_function_is_redirected_while_it_runs() -> None:
    broker = Broker()

    @broker
    def declare(name: str, *, durable: bool) -> str:
        """Declare a queue."""
        return str(pika.BlockingConnection().channel().queue_declare(name, durable=durable).method.queue)

    before = pika_as_it_is()
    assert declare("orders", durable=True) == "orders"
    assert broker.vhost().queue("orders").durable
    assert pika_as_it_is() == before
    assert (declare.__name__, declare.__doc__) == ("declare", "Declare a queue.")


def test_a_decorated_coroutine_function_is_redirected_while_it_is_awaited() -> None:
    broker = Broker()

    @broker
    async def declare(name: str) -> str:
        await asyncio.sleep(0)
        pika.BlockingConnection().channel().queue_declare(name)
        return name

    assert asyncio.run(declare("orders")) == "orders"
    assert [queue.name for queue in broker.list_queues()] == ["orders"]


def test_what_would_run_after_the_redirection_cannot_be_decorated() -> None:
    def generator() -> Iterator[int]:
        yield 1

    class Tests:
        pass

    for each in (generator, Tests):
        with pytest.raises(Misuse, match="use `with` inside it, or decorate its methods"):
            Broker()(each)


# -- connect() -------------------------------------------------------------------------------------------------------


def test_connect_redirects_nobody_else() -> None:
    before = pika_as_it_is()
    connection = Broker().connect()
    assert isinstance(connection, BlockingConnection)
    assert pika_as_it_is() == before


def test_a_connected_program_sleeps_in_virtual_time() -> None:
    broker = Broker()
    connection = broker.connect()
    connection.sleep(3600)
    assert broker.now == 3600


def test_a_connected_programs_timers_fire_in_virtual_time() -> None:
    broker = Broker()
    connection = broker.connect()
    fired: list[float] = []
    connection.call_later(30, lambda: fired.append(broker.now))
    connection.sleep(60)
    assert fired == [30]


def test_a_connected_program_waits_in_virtual_time() -> None:
    broker = Broker()
    channel = broker.connect().channel()
    channel.queue_declare("orders")
    assert next(channel.consume("orders", inactivity_timeout=60)) == (None, None, None)
    assert broker.now == 60


def test_a_connected_program_can_be_called_back() -> None:
    connection = Broker().connect()
    called: list[bool] = []
    connection.add_callback_threadsafe(lambda: called.append(True))
    connection.process_data_events()
    assert called == [True]


def test_connect_takes_several_parameters_as_pika_does() -> None:
    refused = pika.ConnectionParameters(virtual_host="no such vhost")
    assert Broker().connect([refused, pika.ConnectionParameters()]).is_open


def test_connect_raises_what_pika_raises() -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        Broker().connect(pika.ConnectionParameters(credentials=pika.PlainCredentials("guest", "wrong")))
    with pytest.raises(ValueError, match="Expected a non-empty sequence of connection parameters"):
        Broker().connect([])


def test_beside_a_redirection_connect_reaches_its_own_broker_in_its_own_time(broker: Broker) -> None:
    other = Broker()
    connection = other.connect()
    connection.channel().queue_declare("elsewhere")
    connection.sleep(3600)
    pika.BlockingConnection().channel().queue_declare("here")
    assert [queue.name for queue in broker.list_queues()] == ["here"]
    assert [queue.name for queue in other.list_queues()] == ["elsewhere"]
    assert (broker.now, other.now) == (0, 3600)


# -- what is not supported -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("tornado_connection", "TornadoConnection"),
        ("gevent_connection", "GeventConnection"),
        ("twisted_connection", "TwistedProtocolConnection"),
    ],
)
def test_other_adapters_say_so_instead_of_reaching_for_the_network(broker: Broker, module: str, name: str) -> None:
    adapters = pytest.importorskip(f"pika.adapters.{module}", exc_type=ImportError)
    adapter = getattr(adapters, name)
    with pytest.raises(UnsupportedFeature, match="it redirects BlockingConnection, SelectConnection, AsyncioConnec"):
        adapter(pika.ConnectionParameters())
    if issubclass(adapter, BaseConnection):
        with pytest.raises(UnsupportedFeature, match=name):
            adapter.create_connection([pika.ConnectionParameters()], lambda result: None)


def test_an_adapter_of_a_users_says_so_too(broker: Broker) -> None:
    class Mine(BaseConnection):
        @classmethod
        def create_connection(cls, connection_configs, on_done, custom_ioloop=None, workflow=None):  # type: ignore[no-untyped-def]
            return cls._start_connection_workflow(connection_configs, cls, custom_ioloop, workflow, on_done)

    with pytest.raises(UnsupportedFeature, match="cannot redirect Mine"):
        Mine(None, None, None, None, nbio=None, internal_connection_workflow=True)
    with pytest.raises(UnsupportedFeature, match="cannot redirect Mine"):
        Mine.create_connection([pika.ConnectionParameters()], lambda result: None)


def test_the_in_memory_loop_watches_no_file_descriptors(broker: Broker, channel: BlockingChannel) -> None:
    with pytest.raises(UnsupportedFeature, match="use call_later instead"):
        IOLoop().add_handler(0, lambda fd, events: None, IOLoop.READ)


def test_names_of_fakeamqp_that_do_not_exist_are_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'fakeamqp' has no attribute 'Brokre'"):
        fakeamqp.Brokre  # noqa: B018
    assert "Broker" in dir(fakeamqp)
