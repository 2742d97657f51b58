"""What every rule test stands on: one RabbitMQ to talk to, fakeamqp's or a real one.

Without options each test runs on fakeamqp, once as RabbitMQ 3.10 and once as 4.0. With `--rabbitmq=URL` the
same test runs on that real broker; `--rabbitmq-management=URL` lets it prepare users and virtual hosts there,
and `--rabbitmq-node=COMMAND` lets it stop, crash and start the node. `.ci/rabbitmq 4.0 pytest` gives all three.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.target import FakeTarget, RealTarget, Target


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rules", "which RabbitMQ the rules run on")
    group.addoption("--rabbitmq", metavar="URL", help="AMQP URL of a real broker; without it: fakeamqp")
    group.addoption("--rabbitmq-management", metavar="URL", help="URL of that broker's management plugin")
    group.addoption("--rabbitmq-node", metavar="COMMAND", help="command that takes start, stop or crash")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fake_only: asks for something that a real broker cannot do")
    config.addinivalue_line("markers", "only(version): the behaviour exists in this RabbitMQ version alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        real = metafunc.config.getoption("--rabbitmq")
        metafunc.parametrize("target", ["real"] if real else ["3.10", "4.0"], indirect=True, scope="function")


@pytest.fixture(scope="session")
def real_target(request: pytest.FixtureRequest) -> Iterator[RealTarget]:
    """The real broker that --rabbitmq names."""
    options = request.config.option
    with contextlib.closing(RealTarget(options.rabbitmq, options.rabbitmq_management, options.rabbitmq_node)) as target:
        yield target


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The broker under test: a fresh fakeamqp.Broker, or a fresh virtual host of the real broker."""
    if request.param == "real":
        if request.node.get_closest_marker("fake_only"):
            pytest.skip("only fakeamqp can do this")
        target: Target = request.getfixturevalue("real_target")
    else:
        target = FakeTarget(version=request.param)
    only = request.node.get_closest_marker("only")
    if only and only.args != (target.version,):
        pytest.skip(f"a rule of RabbitMQ {only.args[0]} alone")
    with target.test():
        yield target


@pytest.fixture
def version(target: Target) -> str:
    """The RabbitMQ version under test: "3.10" or "4.0"."""
    return target.version


@pytest.fixture
def vhost(target: Target) -> str:
    """The name of the virtual host that belongs to this test; guest has all permissions on it."""
    return target.vhost


@pytest.fixture
def operator(target: Target) -> Any:
    """rabbitmqctl's commands as methods: add_vhost, add_user, set_permissions, close_connections, ..."""
    return target.operator


@pytest.fixture
def connect(target: Target) -> Iterator[Callable[..., pika.BlockingConnection]]:
    """connect(**ConnectionParameters): a new BlockingConnection, closed after the test if it is still open."""
    connections: list[pika.BlockingConnection] = []

    def connect(**settings: Any) -> pika.BlockingConnection:
        connections.append(pika.BlockingConnection(target.parameters(**settings)))
        return connections[-1]

    yield connect
    for connection in connections:
        with contextlib.suppress(pika.exceptions.AMQPError):
            if connection.is_open:
                connection.close()


@pytest.fixture
def connection(connect: Callable[..., pika.BlockingConnection]) -> pika.BlockingConnection:
    """An open connection as guest to the test's virtual host."""
    return connect()


@pytest.fixture
def channel(connection: pika.BlockingConnection) -> BlockingChannel:
    """An open channel on `connection`."""
    return connection.channel()


@pytest.fixture
def let_time_pass(target: Target) -> Callable[[float], None]:
    """let_time_pass(seconds): virtual time on fakeamqp, real time on a real broker."""
    return target.let_time_pass
