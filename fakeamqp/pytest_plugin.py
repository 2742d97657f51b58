"""The pytest plugin: fixtures `amqp_broker`, `amqp_connection` and `amqp_channel`, and what a failed test left behind.

Nothing else of fakeamqp is imported before a test asks for a fixture.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import pika
    from pika.adapters.blocking_connection import BlockingChannel

    from fakeamqp.broker import Broker

_broker_key: pytest.StashKey[Any] = pytest.StashKey()

MARKER = "amqp(version=, seed=, vhosts=, users=, ...): how the test's amqp_broker is made; see fakeamqp.Broker"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Command line and ini options; the marker goes before the command line, that before the ini file."""
    group = parser.getgroup("fakeamqp", "fakeamqp: a RabbitMQ in memory")
    group.addoption("--amqp-seed", type=int, help="seed of every amqp_broker whose test does not name one")
    group.addoption("--amqp-version", help="RabbitMQ version of every amqp_broker whose test does not name one")
    group.addoption("--amqp-replay", metavar="RUN", help="explore this one run, as a counterexample has printed it")
    group.addoption("--amqp-report", metavar="DIR", help="write an HTML report of each failed test's amqp_broker there")
    strict = "refuse every pika connection that is made while no Broker is active, instead of using the network"
    group.addoption("--amqp-strict", action="store_true", help=strict)
    parser.addini("amqp_strict", strict, type="bool")
    parser.addini("amqp_seed", "seed of every amqp_broker (default: 0)")
    parser.addini("amqp_version", 'RabbitMQ version of every amqp_broker: "3.10" or "4.0" (default)')
    parser.addini("amqp_vhosts", "virtual hosts of every amqp_broker, besides /", type="args")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, the run that is to be replayed, and a place for reports."""
    config.addinivalue_line("markers", MARKER)
    if config.getoption("amqp_strict") or config.getini("amqp_strict"):
        from fakeamqp.clients.redirection import refuse_the_network

        stack = contextlib.ExitStack()
        stack.enter_context(refuse_the_network())
        config.add_cleanup(stack.close)
    if config.getoption("amqp_replay") is not None:
        from fakeamqp.exploration.replaying import ask, forget
        from fakeamqp.spec.errors import Misuse

        try:
            ask(config.getoption("amqp_replay"))
        except Misuse as error:
            raise pytest.UsageError(f"--amqp-replay: {error}") from None
        config.add_cleanup(forget)
    if config.getoption("amqp_report") is not None:
        if importlib.util.find_spec("jinja2") is None:
            raise pytest.UsageError("--amqp-report needs Jinja2: pip install 'fakeamqp[report]'")
        Path(config.getoption("amqp_report")).mkdir(parents=True, exist_ok=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test runs: its explorations are counted, so that the right one replays, and heed its marker."""
    replaying = sys.modules.get("fakeamqp.exploration.replaying")
    if replaying is not None:
        replaying.begin_test()
    from fakeamqp.exploration import settings

    with settings.given_by(lambda: _settings(item), item.config.rootpath):
        return (yield)


@pytest.fixture(scope="session")
def _amqp_first_use() -> None:
    """Warn of connections that were made too early to reach any broker."""
    from fakeamqp.clients.redirection import open_network_connections

    for shown in open_network_connections():
        warnings.warn(
            f"{shown} was made before the first amqp_broker of this session (at import, in a fixture of wider scope, "
            "in setup_class?), so it goes to the network; make it inside a test, or see amqp_broker_factory. "
            "--amqp-strict shows where it is made",
            UserWarning,
            stacklevel=1,
        )


@pytest.fixture(scope="session")
def amqp_broker_factory(request: pytest.FixtureRequest) -> Callable[..., Broker]:
    """Makes brokers for fixtures of a wider scope than a test's, with the settings of ini file and command line.

        @pytest.fixture(scope="module")
        def broker(amqp_broker_factory):
            with amqp_broker_factory(vhosts=["shop"]) as broker:
                yield broker

    While such a broker is active, `amqp_broker` in the same test is refused: pika reaches one broker at a time.
    """
    from fakeamqp.broker import Broker

    return lambda **settings: Broker(**{**_general_settings(request.config), **settings})


@pytest.fixture
def amqp_broker(request: pytest.FixtureRequest, _amqp_first_use: None) -> Iterator[Broker]:
    """A fresh fakeamqp.Broker; while the test runs, every pika connection reaches it."""
    from fakeamqp.broker import Broker

    with Broker(**_settings(request.node)) as broker:
        request.node.stash[_broker_key] = broker
        yield broker


@pytest.fixture
def amqp_connection(amqp_broker: Broker) -> pika.BlockingConnection:
    """An open pika.BlockingConnection to the test's broker, as guest to "/"."""
    import pika

    return pika.BlockingConnection(pika.ConnectionParameters())


@pytest.fixture
def amqp_channel(amqp_connection: pika.BlockingConnection) -> BlockingChannel:
    """An open channel on `amqp_connection`."""
    return amqp_connection.channel()


def _general_settings(config: pytest.Config) -> dict[str, Any]:
    """What the ini file and the command line say of every broker."""
    settings: dict[str, Any] = {}
    if config.getini("amqp_seed"):
        settings["seed"] = _whole_number(config.getini("amqp_seed"))
    if config.getini("amqp_version"):
        settings["version"] = config.getini("amqp_version")
    if config.getini("amqp_vhosts"):
        settings["vhosts"] = config.getini("amqp_vhosts")
    for name in ("seed", "version"):
        if config.getoption(f"amqp_{name}") is not None:
            settings[name] = config.getoption(f"amqp_{name}")
    return settings


def _settings(node: pytest.Item) -> dict[str, Any]:
    """What is said of a test's broker: by its markers, the nearest first, then in general."""
    settings = _general_settings(node.config)
    for marker in reversed(list(node.iter_markers("amqp"))):
        if marker.args:
            raise pytest.UsageError(f"@pytest.mark.amqp takes keywords only: {MARKER}")
        _assert_are_settings(marker.kwargs)
        settings |= marker.kwargs
    return settings


def _assert_are_settings(given: Mapping[str, Any]) -> None:
    """Raise a usage error for a keyword that Broker does not take, with the nearest that it does."""
    import difflib
    import inspect

    from fakeamqp.broker import Broker

    known = list(inspect.signature(Broker).parameters)
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"it takes {', '.join(known)}"
            raise pytest.UsageError(f"@pytest.mark.amqp takes no {name}=; {hint}")


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise pytest.UsageError(f"the ini option amqp_seed is {text!r}; it takes a whole number") from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what a failed test left behind in its broker."""
    made = yield
    broker = item.stash.get(_broker_key, None)
    if made.failed and made.when == "call" and broker is not None:
        from fakeamqp.simulation.management.report import report

        made.sections.append(("fakeamqp", report(broker.simulation.world)))
        directory = item.config.getoption("amqp_report")
        if directory is not None:
            made.sections.append(("fakeamqp's report", str(_write_report(broker, Path(directory), item.nodeid))))
    if made.when == "teardown" and broker is not None:
        del item.stash[_broker_key]  # items live until the session ends
    return made


def _write_report(broker: Broker, directory: Path, test: str) -> Path:
    """Write a broker's report; names the file after the test, and tells tests apart whose names look alike there."""
    readable = re.sub(r"[^\w.-]+", "-", test).strip("-")[:120]
    path = directory / f"{readable}-{zlib.crc32(test.encode()):08x}.html"
    broker.write_report(path, title=test)
    return path
