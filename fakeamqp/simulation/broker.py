"""The broker that a user holds: what survives when its node dies."""

from __future__ import annotations

import _thread
import itertools
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.kernel.timers import Timers
from fakeamqp.node.node import Node
from fakeamqp.node.operator.definition_shapes import can_be_written, texts_of
from fakeamqp.node.words.profile import profile_of
from fakeamqp.simulation import forking
from fakeamqp.simulation.asking import Questions
from fakeamqp.simulation.chance import UNIMPORTANT, Chooser, SeededChooser, generated_name
from fakeamqp.simulation.clock import Clock, to_us
from fakeamqp.simulation.custom_exchanges import RoutingFunction, matchings
from fakeamqp.simulation.events import THE_TEST
from fakeamqp.simulation.fates import tell_of_losses, watcher
from fakeamqp.simulation.fault_commands import FaultCommands
from fakeamqp.simulation.faults import assert_is_a_loss
from fakeamqp.simulation.listings import Listings
from fakeamqp.simulation.network import Stream
from fakeamqp.simulation.operating import EVERYTHING, GUEST, Definitions, OperatorCommands
from fakeamqp.simulation.program_code import Program
from fakeamqp.simulation.trace import BROKER, CHOICE, TIME, Trace
from fakeamqp.simulation.waiting import Loop, alarm_handler
from fakeamqp.spec.errors import Misuse

if TYPE_CHECKING:
    from fakeamqp.simulation.scheduler import Scheduler
    from fakeamqp.simulation.tasks import Task


class SimulatedBroker(OperatorCommands, Listings, Questions):
    """A RabbitMQ in memory and the world around it; `fakeamqp.Broker`, which tells the arguments, adds the doors."""

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
        self.version = version
        self.seed = seed
        self.chooser = SeededChooser(seed) if chooser is None else chooser
        self.clock = Clock()
        self._hosts: tuple[str, ...] | None = None
        self.trace = Trace(trace_limit)
        self._watch = watcher(self.trace)
        self.lock = _thread.RLock()
        self.changed = threading.Condition(self.lock)
        self.bystanders = weakref.WeakSet(threading.enumerate())
        """Threads that were there before, such as those of test tools; they do nothing here unless they connect."""
        self.bystanders.discard(threading.current_thread())
        self.watchdog = alarm_handler()
        """Whom an alarm calls that was set before; it watches over the test, and brings no program further."""
        self.scheduler: Scheduler | None = None
        """Who goes when, once there are tasks."""
        self.max_steps = max_steps
        self.faults = FaultCommands(self)
        """What can go wrong, to be called by hand or scripted."""
        self.loops: list[Loop] = []
        """Event loops of clients, in the order in which they were made."""
        self.node: Node | None = None
        self._profile = profile_of(version)
        self._matchings = matchings({} if exchange_types is None else exchange_types)
        self._sync_interval_us = to_us(sync_interval)
        self._journal = Journal()
        self._streams: dict[Stream, None] = {}
        self._listening: dict[Stream, None] = {}
        """Streams whose clients want to be told when something may have happened."""
        self._silent: dict[Stream, None] = {}
        """Streams where nothing arrives any more."""
        self._world = Timers()
        self._sleepers = 0
        self._refuses_until_us = 0
        self.outages = 0
        """How often the node has gone by now. For faults."""
        self.alarm_ends_us: int | None = None
        """When the alarm that a fault has raised ends; None for one that was raised by hand. For faults."""
        self._connection_numbers = itertools.count(1)
        self.hosts = hosts
        self._boot()
        forking.watch(self)
        self.patches_time = patch_time
        """Whether the clocks that its tasks read are virtual."""
        self._is_active = False
        """Whether pika is redirected to this broker."""
        self._add_vhosts_and_users(vhosts, users or {})
        if definitions is not None:
            self.import_definitions(definitions)
        self.trace.clear()

    def _add_vhosts_and_users(self, vhosts: Iterable[str], users: Mapping[str, str]) -> None:
        if not isinstance(users, Mapping):
            raise Misuse(f"users= takes a mapping of names to passwords, not {users!r}")
        if not isinstance(vhosts, Iterable):
            raise Misuse(f"vhosts= takes the names of virtual hosts, not {vhosts!r}")
        names = list(dict.fromkeys(("/", *([vhosts] if isinstance(vhosts, str) else vhosts))))
        for name in names:
            self.add_vhost(name)
        self.add_user(GUEST, GUEST, tags=("administrator",))
        for user, password in users.items():
            if user == GUEST:
                self.change_password(user, password)
            else:
                self.add_user(user, password)
        for user in (GUEST, *users):
            for name in names:
                self.set_permissions(user, EVERYTHING, EVERYTHING, EVERYTHING, vhost=name)

    # -- time ---------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual time: seconds since the broker was made."""
        return self.clock.seconds

    def advance(self, seconds: float) -> None:
        """Let virtual time pass while the programs hold still, connected and healthy: whatever expires, expires.

        Timers of the programs themselves (pika's call_later) fire when those next process events.
        """
        span_us = to_us(seconds)
        with self.lock:
            if self.node is not None:
                cut_off = [stream.connection for stream in self._silent if stream.connection is not None]
                self.node.keep_alive(self.clock.now_us + span_us, cut_off)
            self.move_clock(self.clock.now_us + span_us)
            self.notify()

    def move_clock(self, to_us: int, *, is_jump: bool = True) -> None:
        """Set the clock forward, and let the node and the world do what they wanted to do by then. For doors.

        It is no jump where real time has passed as well.
        """
        if is_jump and to_us > self.clock.now_us and self.trace.is_on:
            from_us = self.clock.now_us
            text = f"time jumps by {(to_us - from_us) / 1e6:g} s"
            self.trace.note(from_us, TIME, text, from_us=from_us, to_us=to_us)
        while (timer := self._world.pop_due(to_us)) is not None:
            self._set_clock(timer.at_us)
            assert timer.action is not None
            timer.action()
        self._set_clock(to_us)

    def _set_clock(self, to_us: int) -> None:
        self.clock.now_us = max(self.clock.now_us, to_us)
        if self.node is not None:
            self.node.advance(self.clock.now_us)

    def next_deadline(self) -> int | None:
        """When the node or the world next wants to do something by itself, microseconds. For doors."""
        deadline_us = self._world.next_deadline()
        if self.node is None:
            return deadline_us
        of_node_us = self.node.next_deadline()
        if deadline_us is None or of_node_us is None:
            return of_node_us if deadline_us is None else deadline_us
        return min(deadline_us, of_node_us)

    def has_work(self) -> bool:
        """Whether timers of node or world may bring any program further. For doors.

        Heartbeats bring nobody further but where they are missed: then a connection ends.
        """
        if self._world.has_work() or (self.node is not None and self.node.state.timers.has_work()):
            return True
        return any(stream.is_missed_by_node() for stream in self._silent)

    def has_unsafe_records(self) -> bool:
        """Whether something is still on its way to the disk, and would be lost in a crash."""
        return bool(self._sync_interval_us and self.node is not None and self._journal.tail)

    def sync(self) -> None:
        """The disk has written what was on its way there; whoever waited for that is told."""
        with self.lock:
            node = self._running_node("sync")
            node.sync()
            self.notify()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something in the world around node and programs, after so many virtual seconds."""
        self._world.at(self.clock.now_us + to_us(seconds), action)

    # -- tasks --------------------------------------------------------------------------------------------------

    def spawn(
        self,
        function: Callable[..., Any],
        /,
        *args: Any,
        name: str | None = None,
        restart: bool | float = False,
        **kwargs: Any,
    ) -> Task:
        """Run a program, unchanged blocking code, as a task: `function(*args, **kwargs)` in a greenlet.

        It begins when the test next waits for something, or calls `run`. Tasks take turns where they talk to the
        broker or wait; who goes next is drawn from the seed. `name` is the function's by default. With `restart` a
        supervisor starts the program again a virtual second, or so many seconds, after it failed. Needs
        `fakeamqp[simulation]`; raises Misuse without, for a name that is taken, and in another thread than the first
        task's.
        """
        scheduler = self._scheduler()
        program = Program(function, args, kwargs)
        if self._is_active:
            from fakeamqp.simulation.adoption import adopt  # here, as it imports much of Python's library

            program = adopt(program)
        return scheduler.spawn(program, name, restart)

    def run(self, *, until: Callable[[], Any] | None = None, seconds: float | None = None) -> None:
        """Let the tasks run: until nothing can happen any more, `until()` is true, or so many virtual seconds passed.

        Raises what a task has failed with, unless it is restarted; Livelock after more than `max_steps` steps;
        Deadlock if `until` never comes true.
        """
        self._scheduler().run(until, seconds)

    def interrupt(self, error: BaseException) -> None:
        """Raise something in the test, out of the call in which that waits for the tasks."""
        self._scheduler().interrupt(error)

    @property
    def steps(self) -> int:
        """How often tasks have come to a point where another might have gone first."""
        return 0 if self.scheduler is None else self.scheduler.steps

    def watch_steps(self, look: Callable[[int, Task, Stream | None], None]) -> None:
        """Have something called at each step of the tasks: with its number, the task, and what that is about to use."""
        self._scheduler().on_step = look

    def _scheduler(self) -> Scheduler:
        if self.scheduler is None:
            try:
                from fakeamqp.simulation.scheduler import Scheduler
            except ImportError:
                raise Misuse("tasks need greenlets: pip install 'fakeamqp[simulation]'") from None
            self.scheduler = Scheduler(self, self.max_steps)
            if self._is_active:
                self._let_tasks_in()
        elif not self.scheduler.is_here():
            raise Misuse("a broker's tasks live in the thread where the first was spawned; this is another one")
        return self.scheduler

    def end_tasks(self) -> None:
        """Kill and forget all tasks; time is not virtual any more. For whoever is done with the broker."""
        self._is_active = False
        if self.scheduler is not None:
            if self.scheduler.is_here():
                self.scheduler.close()
            self._replacements().uninstall(self)

    def _let_tasks_in(self) -> None:
        if self.scheduler is not None:
            self._replacements().install(self)

    @staticmethod
    def _replacements() -> Any:
        from fakeamqp.simulation import replacing  # here, as it imports much of Python's library

        return replacing

    # -- life and death -----------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether there is a node that answers."""
        return self.node is not None

    def stop(self) -> None:
        """Shut the node down gracefully: clients are told (320), and what RabbitMQ keeps is kept."""
        with self.lock:
            node = self._running_node("stop")
            node.shut_down(self.clock.now_us)
            self._leave("the broker is stopped")

    def crash(self, lose: str = "by chance") -> None:
        """Kill the node: streams break, memory is lost, and of the disk's unsynced tail a part.

        `lose` says how much of what each queue has on its way to the disk is lost: "nothing", "everything", or the
        end of it "by chance". Raises Misuse for any other word.
        """
        assert_is_a_loss(lose)
        with self.lock:
            self._running_node("crash")
            pending = self._journal.pending().items()
            self._journal.lose_tail({queue: self._kept(lose, count) for queue, count in pending})
            for stream in self._streams:
                stream.break_off()
            self._leave("the broker has crashed")

    def _kept(self, lose: str, count: int) -> int:
        if lose == "by chance":
            return self.draw("crash", count + 1)
        return count if lose == "nothing" else 0

    def restart(self) -> None:
        """Start a node again, on what the last one left behind."""
        with self.lock:
            if self.node is not None:
                raise Misuse("the broker is running; call stop() or crash() before restart()")
            self._boot()
            self._note("the broker is started again")

    def _boot(self) -> None:
        self.node = Node(
            self._profile,
            self._journal,
            new_name=lambda: generated_name(self.chooser, "names"),
            connection_numbers=self._connection_numbers,
            choose=self.draw,
            matchings=self._matchings,
            now_us=self.clock.now_us,
            sync_interval_us=self._sync_interval_us,
            watch=self._watch,
            watch_closing=self.trace.note_closing if self.trace.is_on else None,
        )

    def _leave(self, what: str) -> None:
        node, self.node = self.node, None
        self.outages += 1
        self._note(what)
        if self._watch is not None and node is not None:
            tell_of_losses(node, self._journal, self._watch)
        self.notify()
        self._streams.clear()
        self._listening.clear()

    def _running_node(self, purpose: str) -> Node:
        if self.node is None:
            raise Misuse(f"the broker is down; call restart() before {purpose}()")
        return self.node

    def choose(self, stream: str, count: int, among: Sequence[str] = ()) -> int:
        """Draw an int below `count` from `stream`; `among` names the first possibilities."""
        return self.draw(stream, count, among, asked_by=self._runner())

    def draw(self, stream: str, count: int, among: Sequence[str] = (), asked_by: str = "") -> int:
        """The same, for what is drawn without a program that asks, or for the program of this name. For doors."""
        chosen = self.chooser.choose(stream, count, among)
        if self.trace.is_on and count <= UNIMPORTANT:
            what = f": {among[chosen]}" if chosen < len(among) else ""
            text = f"choice {stream}: {chosen} of {count}{what}"
            self.trace.note(
                self.clock.now_us, CHOICE, text, stream=stream, count=count, chosen=chosen, asked_by=asked_by
            )
        return chosen

    def _runner(self) -> str:
        """The name of the task that runs here, or the test's."""
        scheduler = self.scheduler
        process = scheduler.current.process if scheduler is not None and scheduler.is_here() else None
        return THE_TEST if process is None else process.name

    # -- streams ------------------------------------------------------------------------------------------------

    @property
    def hosts(self) -> tuple[str, ...] | None:
        """The hosts that answer, each "name" or "name:port"; all others refuse connections. None: all answer."""
        return self._hosts

    @hosts.setter
    def hosts(self, hosts: Iterable[str] | None) -> None:
        if isinstance(hosts, str) or not (hosts is None or isinstance(hosts, Iterable)):
            raise Misuse(f'hosts takes the names of the hosts that answer, such as ["rabbit-1"], not {hosts!r}')
        names = None if hosts is None else tuple(hosts)
        for name in names or ():
            if not isinstance(name, str):
                raise Misuse(f'a host is "name" or "name:port", not {name!r}')
        self._hosts = names

    def open_stream(self, address: tuple[str, int] | None = None) -> Stream:
        """A client connects, to this host and port if it says so. For doors.

        Raises ConnectionRefusedError while the node is down, and from a host that does not answer.
        """
        if self.scheduler is not None and self.scheduler.is_here():
            self.scheduler.before_connecting()
        with self.lock:
            if self.node is None or self.clock.now_us < self._refuses_until_us or not self._answers_at(address):
                raise ConnectionRefusedError(111, "Connection refused")
            stream = Stream(self, self.node)
            self._streams[stream] = None
            if self.scheduler is not None and self.scheduler.is_here():
                self.scheduler.adopt(stream)
            return stream

    def _answers_at(self, address: tuple[str, int] | None) -> bool:
        if self._hosts is None or address is None:
            return True
        host, port = address
        return host in self._hosts or f"{host}:{port}" in self._hosts

    def open_streams(self) -> list[Stream]:
        """The clients' streams, oldest first."""
        return list(self._streams)

    def refuse_connections(self, seconds: float) -> None:
        """Nobody can connect for so many virtual seconds, or as long as was asked for before."""
        self._refuses_until_us = max(self._refuses_until_us, self.clock.now_us + to_us(seconds))

    def listen(self, stream: Stream) -> None:
        """From now on call a stream's `on_change`. For doors."""
        self._listening[stream] = None

    def watch_silence(self, stream: Stream) -> None:
        """Nothing arrives on this stream any more."""
        self._silent[stream] = None

    def forget_silence(self, stream: Stream) -> None:
        """Things arrive again, or the stream has come to its end."""
        self._silent.pop(stream, None)

    def forget_stream(self, stream: Stream) -> None:
        """A client has gone. For doors."""
        self._streams.pop(stream, None)
        self._listening.pop(stream, None)

    def notify(self) -> None:
        """Wake whoever waits for what may have happened. The caller holds the lock. For doors."""
        if self._sleepers:
            self.changed.notify_all()
        if self._listening:
            for stream in tuple(self._listening):
                stream.on_change()

    def sleep(self, seconds: float | None) -> None:
        """Sleep in real time until `notify`, at most this long. The caller holds the lock. For doors."""
        self._sleepers += 1
        try:
            self.changed.wait(seconds)
        finally:
            self._sleepers -= 1

    def _note(self, what: str) -> None:
        self.trace.note(self.clock.now_us, BROKER, what)

    def check(self) -> None:
        """Assert the node's invariants; for tests of fakeamqp itself."""
        with self.lock:
            self._running_node("check").check()

    def _operate(self, name: str, command: Callable[..., None], *arguments: Any) -> None:
        for argument in arguments:
            for _, text in texts_of(argument, name):
                if not can_be_written(text):
                    raise Misuse(f"{name}: {text!r} is no text in UTF-8")
        with self.lock:
            node = self._running_node(name)
            node.advance(self.clock.now_us)
            try:
                command(node.state, *arguments)
            finally:
                node.finish_turn()  # also of what an import made before it was refused
            self._note(f"operator: {name} {arguments[0]!r}" if arguments else f"operator: {name}")
            self.notify()
