"""What a running node remembers, and loses in a crash; only the journal stays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.kernel.message import Entry, Message
from fakeamqp.node.kernel.timers import Timers
from fakeamqp.node.queues.effects import Discarded
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.routing.plugin_exchanges import Choose
from fakeamqp.node.routing.registry import ExchangeTypes, Matching
from fakeamqp.node.state.access import Access
from fakeamqp.node.state.connection import Channel, Connection
from fakeamqp.node.state.queue_commands import Command
from fakeamqp.node.state.receipts import Awaiting, Commit
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.state.watching import ClosingWatch, Watch
from fakeamqp.node.words.facts import ExchangeFact, GlobalParameterFact
from fakeamqp.node.words.profile import Profile


class NodeState:
    """The memory of one node. Functions change it, none of them calls the node that holds it."""

    def __init__(
        self,
        profile: Profile,
        journal: Journal,
        *,
        new_name: Callable[[], str],
        choose: Choose,
        delay: Callable[[NodeState, ExchangeFact, Message, int], None],
        matchings: Mapping[str, Matching],
        now_us: int,
        watch: Watch | None,
        watch_closing: ClosingWatch | None,
    ) -> None:
        self.profile = profile
        self.journal = journal
        self.new_name = new_name
        self.now_us = now_us
        self.timers = Timers()
        self.exchange_types = ExchangeTypes(profile, choose=choose, delay=partial(delay, self), custom=matchings)
        self.access = Access()
        self.vhosts: dict[str, VirtualHost] = {}
        self.global_parameters: dict[str, GlobalParameterFact] = {}
        self.connections: dict[int, Connection] = {}
        self.reply_channels: dict[str, Channel] = {}
        """Who gets direct replies, by address."""
        self.alarms: tuple[str, ...] = ()
        """What the node is short of."""
        self.line: deque[Command] = deque()
        """Commands that queues have still to carry out, in order."""
        self.awaiting: list[Awaiting] = []
        """Confirms of this turn's publishes."""
        self.unsafe: deque[Awaiting] = deque()
        """Confirms that must not be given before the journal has reached their positions, oldest first."""
        self.commits: list[Commit] = []
        """Transactions that are being committed."""
        self.dead_letters: list[tuple[Queue, Discarded]] = []
        """Dead letters that must arrive, and are on their way."""
        self.watch = watch
        """Who is told what becomes of messages."""
        self.watch_closing = watch_closing
        """Who is told what the node closes."""

    def forget_awaiting(self, channel: Channel) -> None:
        """A channel is over: nobody waits for its answers."""
        self.awaiting[:] = [each for each in self.awaiting if each.channel is not channel]
        if self.unsafe:
            self.unsafe = deque(each for each in self.unsafe if each.channel is not channel)
        self.commits[:] = [each for each in self.commits if each.channel is not channel]

    def tell_closing(self, connection: Connection, channel: int, reason: str) -> None:
        """The node closes a channel or, with 0, a connection."""
        if self.watch_closing is not None:
            self.watch_closing(self.now_us, connection.id, channel, reason)

    def tell_leaving(self, outcome: str, queue: Queue, entries: Iterable[Entry]) -> None:
        """Entries leave their queue together."""
        if self.watch is not None:
            for entry in entries:
                self.watch((self.now_us, outcome, entry.message, queue.alone, None, None))

    def retract_entry(self, queue: Queue, entry: Entry) -> None:
        """A message has left its queue, which knows already."""
        if entry.survives and queue.store is not None:
            self.journal.remove_entry(queue.store, entry)
