"""Answer what there is: virtual hosts, queues, exchanges, bindings, consumers."""

from __future__ import annotations

from fakeamqp.node.operator import commands
from fakeamqp.simulation.record.snapshots import (
    BindingSnapshot,
    ConsumerSnapshot,
    ExchangeSnapshot,
    QueueSnapshot,
    VirtualHostSnapshot,
    vhost_snapshot,
)
from fakeamqp.simulation.world.world import World


class Listings:
    """Snapshots of what there is: virtual hosts, queues, exchanges, bindings."""

    def __init__(self, world: World) -> None:
        self._world = world

    def vhost(self, name: str = "/") -> VirtualHostSnapshot:
        """A virtual host as it is now. Raises Misuse if there is none, or while the broker is down."""
        with self._world.lock:
            return vhost_snapshot(commands.existing_vhost(self._world.running_node("vhost").state.vhosts, name))

    def vhosts(self) -> list[VirtualHostSnapshot]:
        """All virtual hosts as they are now."""
        with self._world.lock:
            return [vhost_snapshot(vhost) for vhost in self._world.running_node("vhosts").state.vhosts.values()]

    def list_queues(self, vhost: str = "/") -> list[QueueSnapshot]:
        """A virtual host's queues."""
        return list(self.vhost(vhost).queues.values())

    def list_exchanges(self, vhost: str = "/") -> list[ExchangeSnapshot]:
        """A virtual host's exchanges, the predeclared ones too."""
        return list(self.vhost(vhost).exchanges.values())

    def list_bindings(self, vhost: str = "/") -> list[BindingSnapshot]:
        """A virtual host's bindings, the default exchange's too, as rabbitmqctl lists them."""
        found = self.vhost(vhost)
        default = [BindingSnapshot("", "queue", queue, queue, {}) for queue in found.queues]
        return [*default, *found.bindings]

    def list_consumers(self, vhost: str = "/") -> list[ConsumerSnapshot]:
        """A virtual host's consumers, by queue."""
        return [consumer for queue in self.list_queues(vhost) for consumer in queue.consumers]
