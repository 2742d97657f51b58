"""`import fakeamqp`: what it offers, and what it does not load."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import fakeamqp

NAMES = [
    "Broker",
    "Counterexample",
    "Deadlock",
    "Exploration",
    "FakeamqpError",
    "Fault",
    "Faults",
    "Livelock",
    "Misuse",
    "NotRepeatable",
    "Task",
    "TaskExited",
    "UnsupportedDefinitions",
    "UnsupportedFeature",
    "__version__",
    "explore",
    "replay",
    "topic_matches",
]


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh Python has loaded after a statement."""
    program = f"{statement}; import sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(result.stdout.split())


@pytest.mark.parametrize("statement", ["import fakeamqp", "import fakeamqp; dir(fakeamqp); fakeamqp.__version__"])
def test_importing_loads_nothing_else(statement: str) -> None:
    loaded = modules_after(statement)
    assert {name for name in loaded if name.startswith("fakeamqp")} == {"fakeamqp"}
    assert not loaded & {"pika", "pytest", "sortedcontainers", "dataclasses"}


def test_the_pytest_plugin_loads_no_broker_before_a_test_asks_for_one() -> None:
    loaded = modules_after("import fakeamqp.pytest_plugin")
    assert {name for name in loaded if name.startswith("fakeamqp")} == {"fakeamqp", "fakeamqp.pytest_plugin"}
    assert "pika" not in loaded


def test_a_broker_is_made_without_pika() -> None:
    assert "pika" not in modules_after("import fakeamqp; fakeamqp.Broker()")


def test_it_says_what_it_offers() -> None:
    assert dir(fakeamqp) == sorted(fakeamqp.__all__) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there(name: str) -> None:
    assert getattr(fakeamqp, name) is getattr(fakeamqp, name)


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="module 'fakeamqp' has no attribute 'Brocker'"):
        _ = fakeamqp.Brocker


def test_star_brings_everything() -> None:
    assert "fakeamqp.node.node" in modules_after("from fakeamqp import *; Broker, topic_matches")


def test_its_errors_are_of_one_family() -> None:
    for error in (fakeamqp.Misuse, fakeamqp.UnsupportedFeature, fakeamqp.Deadlock):
        assert issubclass(error, fakeamqp.FakeamqpError)


def test_a_broker_shows_what_users_use_and_no_more() -> None:
    shown = {name for name in dir(fakeamqp.Broker) if not name.startswith("_")}
    assert shown == {
        *("version", "seed", "trace", "faults", "hosts", "now", "steps", "is_running"),
        *("connect", "write_report", "advance", "sync", "spawn", "run", "choose", "stop", "crash", "restart"),
        *("vhost", "vhosts", "list_queues", "list_exchanges", "list_bindings", "list_consumers"),
        *("explain", "explain_published", "import_definitions", "export_definitions"),
        *("add_vhost", "delete_vhost", "set_vhost_limits", "clear_vhost_limits", "trace_on", "trace_off"),
        *("add_user", "delete_user", "change_password", "set_user_tags", "set_user_limits", "clear_user_limits"),
        *("set_permissions", "clear_permissions", "set_topic_permissions", "close_connections"),
        *("set_policy", "clear_policy", "set_operator_policy", "clear_operator_policy", "alarm", "clear_alarm"),
    }
    assert all(getattr(fakeamqp.Broker, name).__doc__ for name in shown)


def test_a_method_of_the_broker_has_its_own_signature() -> None:
    assert list(inspect.signature(fakeamqp.Broker.add_vhost).parameters) == ["self", "name", "default_queue_type"]
