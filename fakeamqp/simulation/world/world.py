"""The world around one node: time, chance, the disk, the trace, and whoever waits until something may have happened."""

from __future__ import annotations

import _thread
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence

from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.kernel.timers import Timers
from fakeamqp.node.node import Node
from fakeamqp.node.state.watching import Watch
from fakeamqp.node.words.profile import profile_of
from fakeamqp.simulation.clock import Clock, to_us
from fakeamqp.simulation.record.trace import BROKER, CHOICE, TIME, Trace
from fakeamqp.simulation.world.chance import UNIMPORTANT, Chooser, SeededChooser, generated_name
from fakeamqp.simulation.world.custom_exchanges import RoutingFunction, matchings
from fakeamqp.spec.errors import Misuse


class World:
    """What survives when the node dies, and the node, while there is one."""

    def __init__(
        self,
        *,
        version: str,
        seed: int,
        chooser: Chooser | None,
        exchange_types: Mapping[str, RoutingFunction] | None,
        sync_interval: float,
        trace_limit: int | None,
    ) -> None:
        self.version = version
        self.seed = seed
        self.chooser = SeededChooser(seed) if chooser is None else chooser
        self.clock = Clock()
        self.trace = Trace(trace_limit)
        self.watch: Watch | None = self.trace.record if self.trace.is_on else None
        self.lock = _thread.RLock()
        self.changed = threading.Condition(self.lock)
        self.journal = Journal()
        self.outages = 0
        """How often the node has gone by now."""
        self.listeners: dict[object, Callable[[], None]] = {}
        """What to call when something may have happened, by whom it is for."""
        self._profile = profile_of(version)
        self._matchings = matchings({} if exchange_types is None else exchange_types)
        self._sync_interval_us = to_us(sync_interval)
        self._timers = Timers()
        self.sleepers = 0
        self._connection_numbers = itertools.count(1)
        self.node: Node | None = None
        self.boot()

    # -- the node -----------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start a node on what is on the disk."""
        self.node = Node(
            self._profile,
            self.journal,
            new_name=lambda: generated_name(self.chooser, "names"),
            connection_numbers=self._connection_numbers,
            choose=self.draw,
            matchings=self._matchings,
            now_us=self.clock.now_us,
            sync_interval_us=self._sync_interval_us,
            watch=self.watch,
            watch_closing=self.trace.note_closing if self.trace.is_on else None,
        )

    def running_node(self, purpose: str) -> Node:
        """The node. Raises Misuse while there is none; `purpose` is the method of the broker that needs it."""
        if self.node is None:
            raise Misuse(f"the broker is down; call restart() before {purpose}()")
        return self.node

    def has_unsafe_records(self) -> bool:
        """Whether something is still on its way to the disk, and would be lost in a crash."""
        return bool(self._sync_interval_us and self.node is not None and self.journal.tail)

    def sync(self) -> None:
        """The disk has written what was on its way there; whoever waited for that is told."""
        with self.lock:
            self.running_node("sync").sync()
            self.notify()

    def check(self) -> None:
        """Assert the node's invariants; for tests of fakeamqp itself."""
        with self.lock:
            self.running_node("check").check()

    # -- time ---------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual time: seconds since the broker was made."""
        return self.clock.seconds

    def move_clock(self, to_us: int, *, is_jump: bool = True) -> None:
        """Set the clock forward, and let the node and the world do what they wanted to do by then.

        It is no jump where real time has passed as well.
        """
        if is_jump and to_us > self.clock.now_us and self.trace.is_on:
            from_us = self.clock.now_us
            text = f"time jumps by {(to_us - from_us) / 1e6:g} s"
            self.trace.note(from_us, TIME, text, from_us=from_us, to_us=to_us)
        while (timer := self._timers.pop_due(to_us)) is not None:
            self._set_clock(timer.at_us)
            assert timer.action is not None
            timer.action()
        self._set_clock(to_us)

    def _set_clock(self, to_us: int) -> None:
        self.clock.now_us = max(self.clock.now_us, to_us)
        if self.node is not None:
            self.node.advance(self.clock.now_us)

    def next_deadline(self) -> int | None:
        """When the node or the world next wants to do something by itself, microseconds."""
        deadline_us = self._timers.next_deadline()
        if self.node is None:
            return deadline_us
        of_node_us = self.node.next_deadline()
        if deadline_us is None or of_node_us is None:
            return of_node_us if deadline_us is None else deadline_us
        return min(deadline_us, of_node_us)

    def has_work(self) -> bool:
        """Whether timers of node or world may bring any program further."""
        return self._timers.has_work() or (self.node is not None and self.node.state.timers.has_work())

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something in the world around node and programs, after so many virtual seconds."""
        self._timers.at(self.clock.now_us + to_us(seconds), action)

    # -- chance -------------------------------------------------------------------------------------------------

    def draw(self, stream: str, count: int, among: Sequence[str] = (), asked_by: str = "") -> int:
        """Draw an int below `count` from `stream`; `among` names the first possibilities.

        `asked_by` is the name of the program that asks, if one does.
        """
        chosen = self.chooser.choose(stream, count, among)
        if self.trace.is_on and count <= UNIMPORTANT:
            what = f": {among[chosen]}" if chosen < len(among) else ""
            text = f"choice {stream}: {chosen} of {count}{what}"
            self.trace.note(
                self.clock.now_us, CHOICE, text, stream=stream, count=count, chosen=chosen, asked_by=asked_by
            )
        return chosen

    # -- whoever waits ------------------------------------------------------------------------------------------

    def notify(self) -> None:
        """Wake whoever waits for what may have happened. The caller holds the lock."""
        if self.sleepers:
            self.changed.notify_all()
        if self.listeners:
            for listener in tuple(self.listeners.values()):
                listener()

    def sleep(self, seconds: float | None) -> None:
        """Sleep in real time until `notify`, at most this long. The caller holds the lock."""
        self.sleepers += 1
        try:
            self.changed.wait(seconds)
        finally:
            self.sleepers -= 1

    def note(self, what: str) -> None:
        """Record what has happened to the node."""
        self.trace.note(self.clock.now_us, BROKER, what)
