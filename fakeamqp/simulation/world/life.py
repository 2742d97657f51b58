"""Life and death of the node: it stops, crashes, and is started again."""

from __future__ import annotations

from fakeamqp.simulation.record.outcomes import tell_of_losses
from fakeamqp.simulation.world.network import Network
from fakeamqp.spec.errors import Misuse

LOSSES = ("nothing", "everything", "by chance")
"""How much of what each queue has on its way to the disk a crash may lose."""


def assert_is_a_loss(lose: object) -> None:
    """Raise Misuse unless it is one of LOSSES."""
    if lose not in LOSSES:
        raise Misuse(f'lose= is "nothing", "everything" or "by chance", not {lose!r}')


class Life:
    """The node's life, and what its death means for the clients' streams."""

    def __init__(self, network: Network) -> None:
        self._world = network.world
        self._network = network

    @property
    def is_running(self) -> bool:
        """Whether there is a node that answers."""
        return self._world.node is not None

    def stop(self) -> None:
        """Shut the node down gracefully: clients are told (320), and what RabbitMQ keeps is kept."""
        world = self._world
        with world.lock:
            world.running_node("stop").shut_down(world.clock.now_us)
            self._leave("the broker is stopped")

    def crash(self, lose: str = "by chance") -> None:
        """Kill the node: streams break, memory is lost, and of the disk's unsynced tail a part.

        `lose` says how much of what each queue has on its way to the disk is lost: "nothing", "everything", or the
        end of it "by chance". Raises Misuse for any other word.
        """
        assert_is_a_loss(lose)
        world = self._world
        with world.lock:
            world.running_node("crash").end()
            pending = world.journal.pending().items()
            world.journal.lose_tail({queue: self._kept(lose, count) for queue, count in pending})
            for stream in self._network.open_streams():
                stream.break_off()
            self._leave("the broker has crashed")

    def _kept(self, lose: str, count: int) -> int:
        if lose == "by chance":
            return self._world.draw("crash", count + 1)
        return count if lose == "nothing" else 0

    def restart(self) -> None:
        """Start a node again, on what the last one left behind."""
        world = self._world
        with world.lock:
            if world.node is not None:
                raise Misuse("the broker is running; call stop() or crash() before restart()")
            world.boot()
            world.note("the broker is started again")

    def _leave(self, what: str) -> None:
        world = self._world
        node, world.node = world.node, None
        world.outages += 1
        world.note(what)
        if world.watch is not None and node is not None:
            tell_of_losses(node, world.journal, world.watch)
        world.notify()
        self._network.forget_all()
