"""The broker that a user holds: a simulation, its parts' methods, and its doors for pika."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from fakeamqp.simulation.faults.fault_commands import FaultCommands
from fakeamqp.simulation.management.listings import Listings
from fakeamqp.simulation.management.operating import Definitions, Operator
from fakeamqp.simulation.management.questions import Questions
from fakeamqp.simulation.record.trace import Trace
from fakeamqp.simulation.simulation import Simulation
from fakeamqp.simulation.task_commands import TaskCommands
from fakeamqp.simulation.world.chance import Chooser
from fakeamqp.simulation.world.custom_exchanges import RoutingFunction
from fakeamqp.simulation.world.life import Life
from fakeamqp.simulation.world.network import Network
from fakeamqp.simulation.world.world import World
from fakeamqp.spec.errors import Misuse

if TYPE_CHECKING:
    import pika

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _of(
    part: str, method: Callable[Concatenate[Any, Parameters], Result]
) -> Callable[Concatenate[Broker, Parameters], Result]:
    """A method of the broker that is one of its part's, by the part's name in `Simulation`."""

    @functools.wraps(method)
    def delegated(self: Broker, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        __tracebackhide__ = True
        return method(getattr(self.simulation, part), *args, **kwargs)

    return cast("Callable[Concatenate[Broker, Parameters], Result]", delegated)


class Broker:
    """A RabbitMQ in memory.

    As a context manager or decorator it redirects every pika connection made meanwhile to itself, whatever host and
    port the program names; `connect` works without. pika is imported when it is needed. Arguments:

    - version: which RabbitMQ it behaves as, "3.10" or "4.0"
    - seed: all chance is drawn from it; the same seed gives the same run
    - vhosts: virtual hosts that exist from the start besides "/"; guest may do everything in each
    - users: name -> password; like guest, who exists always, they may do everything in these virtual hosts
    - hosts: the hosts that answer, each "name" or "name:port", so that programs with a list of them meet some that
      refuse connections; by default every host answers. `broker.hosts = ...` changes it later
    - exchange_types: name -> function, for exchange types of your own. To route a message the function is called with
      the bindings from the exchange (a tuple; each has `destination_kind`, "queue" or "exchange", `destination`,
      `routing_key` and `arguments`), a routing key (again for each key in CC and BCC) and the message's properties
      (`headers`, `priority`, `message_id`, ... as pika names them; None where the publisher gave none); it returns
      those bindings that match, in any iterable. What it raises comes out of the call that made the message move, and
      Misuse does if it returns anything else. It is asked for every message, so it may have a state of its own
    - definitions: what RabbitMQ has exported, as a JSON object or the path of a file: virtual hosts, users, queues,
      exchanges, bindings, policies; see `import_definitions`
    - sync_interval: seconds for which message records may wait for the disk. With 0 a message is safe as soon as
      it is published; otherwise confirms come later, and a crash loses part of what was not yet safe
    - max_steps: how many steps tasks may make before `run` says that no end is in sight
    - patch_time: whether `time.sleep`, `time.time` and `time.monotonic` are virtual in tasks, and in the test once it
      has spawned one
    - chooser: where choices come from instead of the seed; an object with `choose(stream, count)`
    - trace_limit: how many of the last events `trace` keeps; None keeps all, and 0 none, at no cost
    """

    _redirection: contextlib.AbstractContextManager[None]

    def __init__(
        self,
        *,
        version: str = "4.0",
        seed: int = 0,
        vhosts: Iterable[str] = ("/",),
        users: Mapping[str, str] | None = None,
        hosts: Iterable[str] | None = None,
        exchange_types: Mapping[str, RoutingFunction] | None = None,
        definitions: Definitions | None = None,
        sync_interval: float = 0.0,
        trace_limit: int | None = 10_000,
        max_steps: int = 100_000,
        patch_time: bool = True,
        chooser: Chooser | None = None,
    ) -> None:
        self.simulation = Simulation(
            version=version,
            seed=seed,
            vhosts=vhosts,
            users=users,
            hosts=hosts,
            exchange_types=exchange_types,
            definitions=definitions,
            sync_interval=sync_interval,
            trace_limit=trace_limit,
            max_steps=max_steps,
            patch_time=patch_time,
            chooser=chooser,
        )
        """The parts that this broker is made of; for clients and tools."""

    # -- what it is ---------------------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """Which RabbitMQ it behaves as."""
        return self.simulation.world.version

    @property
    def seed(self) -> int:
        """What all chance is drawn from."""
        return self.simulation.world.seed

    @property
    def trace(self) -> Trace:
        """The last events: what clients and node said to one another, and what became of messages."""
        return self.simulation.world.trace

    @property
    def faults(self) -> FaultCommands:
        """What can go wrong, to be called by hand or scripted."""
        return self.simulation.faults

    @property
    def hosts(self) -> tuple[str, ...] | None:
        """The hosts that answer, each "name" or "name:port"; all others refuse connections. None: all answer."""
        return self.simulation.network.hosts

    @hosts.setter
    def hosts(self, hosts: Iterable[str] | None) -> None:
        self.simulation.network.hosts = hosts

    # -- time and tasks -----------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual time: seconds since the broker was made."""
        return self.simulation.world.now

    @property
    def steps(self) -> int:
        """How often tasks have come to a point where another might have gone first."""
        return self.simulation.tasks.steps

    advance = _of("network", Network.advance)
    sync = _of("world", World.sync)
    spawn = _of("tasks", TaskCommands.spawn)
    run = _of("tasks", TaskCommands.run)
    choose = _of("tasks", TaskCommands.choose)

    # -- the node's life ----------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether there is a node that answers."""
        return self.simulation.life.is_running

    stop = _of("life", Life.stop)
    crash = _of("life", Life.crash)
    restart = _of("life", Life.restart)

    # -- what an operator does, as with rabbitmqctl -------------------------------------------------------------

    add_vhost = _of("operator", Operator.add_vhost)
    delete_vhost = _of("operator", Operator.delete_vhost)
    add_user = _of("operator", Operator.add_user)
    change_password = _of("operator", Operator.change_password)
    set_user_tags = _of("operator", Operator.set_user_tags)
    delete_user = _of("operator", Operator.delete_user)
    set_permissions = _of("operator", Operator.set_permissions)
    clear_permissions = _of("operator", Operator.clear_permissions)
    set_topic_permissions = _of("operator", Operator.set_topic_permissions)
    close_connections = _of("operator", Operator.close_connections)
    trace_on = _of("operator", Operator.trace_on)
    trace_off = _of("operator", Operator.trace_off)
    alarm = _of("operator", Operator.alarm)
    clear_alarm = _of("operator", Operator.clear_alarm)
    set_policy = _of("operator", Operator.set_policy)
    clear_policy = _of("operator", Operator.clear_policy)
    set_operator_policy = _of("operator", Operator.set_operator_policy)
    clear_operator_policy = _of("operator", Operator.clear_operator_policy)
    set_vhost_limits = _of("operator", Operator.set_vhost_limits)
    clear_vhost_limits = _of("operator", Operator.clear_vhost_limits)
    set_user_limits = _of("operator", Operator.set_user_limits)
    clear_user_limits = _of("operator", Operator.clear_user_limits)
    import_definitions = _of("operator", Operator.import_definitions)
    export_definitions = _of("operator", Operator.export_definitions)

    # -- what there is, and why ---------------------------------------------------------------------------------

    vhost = _of("listings", Listings.vhost)
    vhosts = _of("listings", Listings.vhosts)
    list_queues = _of("listings", Listings.list_queues)
    list_exchanges = _of("listings", Listings.list_exchanges)
    list_bindings = _of("listings", Listings.list_bindings)
    list_consumers = _of("listings", Listings.list_consumers)
    explain = _of("questions", Questions.explain)
    explain_published = _of("questions", Questions.explain_published)

    # -- doors --------------------------------------------------------------------------------------------------

    def connect(self, parameters: Any = None) -> pika.BlockingConnection:
        """A pika.BlockingConnection to this broker, without redirecting any other.

        `parameters` is what pika.BlockingConnection takes. Raises what that raises.
        """
        from fakeamqp.clients.blocking import connect

        return connect(self.simulation, parameters)

    def write_report(self, path: str | os.PathLike[str], *, title: str = "", most_events: int = 2000) -> None:
        """Write what has happened so far as one HTML file for a browser, which needs nothing else.

        It shows the trace as lanes of tasks, connections and queues with every message's way, the topology, and a
        table of the events. `title` is its headline; of a longer trace the last `most_events` are shown. Needs
        `fakeamqp[report]`; raises Misuse without, and for less than one event.
        """
        from fakeamqp.reporting.page import write_report

        write_report(self.simulation.world, path, title=title, most_events=most_events)

    def __enter__(self) -> Broker:
        """Redirect pika. Raises Misuse while it is redirected already."""
        from fakeamqp.clients.redirection import redirect

        redirection = redirect(self.simulation)
        redirection.__enter__()
        self._redirection = redirection
        self.simulation.tasks.activate()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        """Kill the tasks, and let pika go where it went before. Warns of programs that were spawned and never ran."""
        idle = self.simulation.tasks.never_ran()
        self.simulation.tasks.end()
        self._redirection.__exit__(*exc_info)
        if idle and exc_info[0] is None:
            names = ", ".join(idle)
            warnings.warn(f"spawned, but never ran: {names}; call broker.run() to let tasks run", stacklevel=2)

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """As a decorator: redirect pika while the function, or coroutine function, runs.

        Raises Misuse for a class or a generator function: pika would go to the network again before their code runs.
        """
        import inspect  # here, as it takes a tenth of the time that importing fakeamqp may take

        if isinstance(function, type) or inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise Misuse(
                f"a Broker decorates functions and coroutine functions, which {function.__qualname__} is not; "
                "use `with` inside it, or decorate its methods"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def redirected_coroutine(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return cast("Callable[Parameters, Result]", redirected_coroutine)

        @functools.wraps(function)
        def redirected(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with self:
                return function(*args, **kwargs)

        return redirected
