"""One outage for many rules: each prepares in its first half, the node goes down once, each looks in its second."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.target import FakeTarget, Target


class Site:
    """What a row works on: the target, and how its node goes down."""

    def __init__(self, target: Target, way: str) -> None:
        self.target = target
        self.version = target.version
        self.vhost = target.vhost
        self.operator = target.operator
        self.graceful = way == "stop"
        self._connections: list[pika.BlockingConnection] = []

    def connect(self, **settings: Any) -> pika.BlockingConnection:
        """A new connection; what is open when the node goes down stays open until then."""
        self._connections.append(pika.BlockingConnection(self.target.parameters(**settings)))
        return self._connections[-1]

    def channel(self, **settings: Any) -> BlockingChannel:
        """A channel on a new connection."""
        return self.connect(**settings).channel()

    def exists(self, kind: str, name: str) -> bool:
        """Whether a passive declare finds the "queue" or "exchange"."""
        channel = self.channel()
        try:
            getattr(channel, f"{kind}_declare")(name, passive=True)
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code != 404:
                raise
            return False
        return True

    def close(self) -> None:
        for connection in self._connections:
            with contextlib.suppress(pika.exceptions.AMQPError):
                if connection.is_open:
                    connection.close()


Row = Callable[[Site], Iterator[None]]


class Outage:
    """Runs the first half of every row, takes the node down and brings it back."""

    def __init__(self, site: Site, rows: dict[str, Row]) -> None:
        self.site = site
        self._prepared: dict[str, Iterator[None] | Exception] = {}
        for name, row in rows.items():
            running = row(site)
            try:
                next(running)
            except Exception as error:
                self._prepared[name] = error
            else:
                self._prepared[name] = running
        self._take_the_node_down()

    def _take_the_node_down(self) -> None:
        target = self.site.target
        if self.site.graceful:
            target.stop()
        else:
            # Observed on 3.10.8: what was declared just before may be in a write cache, for up to two seconds.
            target.let_time_pass(2.5)
            target.crash()
        self.refusal: Exception | None = None
        try:
            self.site.connect()
        except Exception as error:
            self.refusal = error
        finally:
            target.restart()

    def finish(self, name: str) -> None:
        """Run the second half of a row."""
        prepared = self._prepared[name]
        if isinstance(prepared, Exception):
            raise prepared
        assert next(prepared, "finished") == "finished"


class Rows:
    """The rules of one test module, and the outages they share: one for each version and way down."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def row(self, rule: Row) -> Row:
        """A rule in two halves: its `yield` is the outage."""
        self._rows[rule.__name__] = rule
        return rule

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """What the module's pytest_generate_tests does."""
        if "outage" in metafunc.fixturenames:
            versions = ["real"] if metafunc.config.getoption("--rabbitmq") else ["3.10", "4.0"]
            runs = [(version, way) for version in versions for way in ("stop", "crash")]
            metafunc.parametrize("outage", runs, ids="-".join, indirect=True, scope="module")
        if "rule" in metafunc.fixturenames:
            metafunc.parametrize("rule", self._rows)

    @contextlib.contextmanager
    def outage(self, request: pytest.FixtureRequest) -> Iterator[Outage]:
        """What the module's `outage` fixture yields."""
        version, way = request.param
        if version != "real":
            target: Target = FakeTarget(version=version)
        elif request.config.getoption("--rabbitmq-node") is None:
            pytest.skip("give --rabbitmq-node to run this rule on a real broker")
        else:
            target = request.getfixturevalue("real_target")
        with target.test(), contextlib.closing(Site(target, way)) as site:
            yield Outage(site, self._rows)


def publish(channel: BlockingChannel, queue: str, *bodies: bytes, delivery_mode: int | None = 2) -> None:
    """Publish messages and wait until the broker has taken responsibility for them."""
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        for body in bodies:
            properties = pika.BasicProperties(delivery_mode=delivery_mode)
            publisher.basic_publish("", queue, body, properties, mandatory=True)


def redelivered(channel: BlockingChannel, queue: str) -> list[tuple[bytes, bool]]:
    """The bodies of the ready messages and whether they are marked as redelivered."""
    found = []
    while True:
        method, _, body = channel.basic_get(queue)
        if method is None:
            return found
        found.append((body, method.redelivered))
