"""The broker that a user holds: the simulated one, with its doors for pika."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from fakeamqp.simulation.broker import SimulatedBroker
from fakeamqp.spec.errors import Misuse

if TYPE_CHECKING:
    import pika

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Broker(SimulatedBroker):
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

    def connect(self, parameters: Any = None) -> pika.BlockingConnection:
        """A pika.BlockingConnection to this broker, without redirecting any other.

        `parameters` is what pika.BlockingConnection takes. Raises what that raises.
        """
        from fakeamqp.clients.blocking import connect

        return connect(self, parameters)

    def write_report(self, path: str | os.PathLike[str], *, title: str = "", most_events: int = 2000) -> None:
        """Write what has happened so far as one HTML file for a browser, which needs nothing else.

        It shows the trace as lanes of tasks, connections and queues with every message's way, the topology, and a
        table of the events. `title` is its headline; of a longer trace the last `most_events` are shown. Needs
        `fakeamqp[report]`; raises Misuse without, and for less than one event.
        """
        from fakeamqp.reporting.page import write_report

        write_report(self, path, title=title, most_events=most_events)

    def __enter__(self) -> Broker:
        """Redirect pika. Raises Misuse while it is redirected already."""
        from fakeamqp.clients.redirection import redirect

        redirection = redirect(self)
        redirection.__enter__()
        self._redirection = redirection
        self._is_active = True
        self._let_tasks_in()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        """Kill the tasks, and let pika go where it went before. Warns of programs that were spawned and never ran."""
        idle = self._never_ran()
        self.end_tasks()
        self._redirection.__exit__(*exc_info)
        if idle and exc_info[0] is None:
            names = ", ".join(idle)
            warnings.warn(f"spawned, but never ran: {names}; call broker.run() to let tasks run", stacklevel=2)

    def _never_ran(self) -> list[str]:
        """The tasks that were spawned, where nobody has let them run."""
        if self.scheduler is None or self.scheduler.was_run:
            return []
        return [task.name for task in self.scheduler.tasks if task.never_ran]

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
