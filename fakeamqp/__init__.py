"""fakeamqp: a deterministic in-memory RabbitMQ for tests.

    with fakeamqp.Broker() as broker:
        connection = pika.BlockingConnection()  # reaches the broker, in process

Names are loaded when they are first used, so that the pytest plugin costs nothing where it is not used.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # as type checkers know it; to import typing takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from fakeamqp.broker import Broker
    from fakeamqp.exploration.determinism import NotRepeatable
    from fakeamqp.exploration.explore import Counterexample, Exploration, explore, replay
    from fakeamqp.node.routing.topic import topic_matches
    from fakeamqp.simulation.faults.faults import Fault, Faults
    from fakeamqp.simulation.tasks.tasks import Livelock, Task, TaskExited
    from fakeamqp.simulation.tasks.waiting import Deadlock
    from fakeamqp.spec.errors import FakeamqpError, Misuse, UnsupportedDefinitions, UnsupportedFeature

__version__ = "0.1.0"

__all__ = [
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

_HOMES = {
    "Broker": "fakeamqp.broker",
    "Counterexample": "fakeamqp.exploration.explore",
    "Exploration": "fakeamqp.exploration.explore",
    "Fault": "fakeamqp.simulation.faults.faults",
    "Faults": "fakeamqp.simulation.faults.faults",
    "Livelock": "fakeamqp.simulation.tasks.tasks",
    "NotRepeatable": "fakeamqp.exploration.determinism",
    "Task": "fakeamqp.simulation.tasks.tasks",
    "TaskExited": "fakeamqp.simulation.tasks.tasks",
    "explore": "fakeamqp.exploration.explore",
    "replay": "fakeamqp.exploration.explore",
    "Deadlock": "fakeamqp.simulation.tasks.waiting",
    "FakeamqpError": "fakeamqp.spec.errors",
    "Misuse": "fakeamqp.spec.errors",
    "UnsupportedDefinitions": "fakeamqp.spec.errors",
    "UnsupportedFeature": "fakeamqp.spec.errors",
    "topic_matches": "fakeamqp.node.routing.topic",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = importlib.import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        if error.name != "greenlet":
            raise
        from fakeamqp.spec.errors import Misuse

        raise Misuse(f"fakeamqp.{name} needs greenlets: pip install 'fakeamqp[simulation]'") from None
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
