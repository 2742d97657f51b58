"""What a broker looks like when a test has failed, in words."""

from __future__ import annotations

from fakeamqp.simulation.management.listings import Listings
from fakeamqp.simulation.record.snapshots import QueueSnapshot
from fakeamqp.simulation.record.trace import CHOICE, EFFECT
from fakeamqp.simulation.world.world import World
from fakeamqp.spec.methods import (
    ChannelOpenOk,
    ConnectionOpenOk,
    ConnectionStart,
    ConnectionStartOk,
    ConnectionTune,
    ConnectionTuneOk,
    Heartbeat,
)

LAST_EVENTS = 30
INNER = (EFFECT, CHOICE)
"""What neither the programs nor the node have said."""
HANDSHAKE = (
    ConnectionStart,
    ConnectionStartOk,
    ConnectionTune,
    ConnectionTuneOk,
    ConnectionOpenOk,
    ChannelOpenOk,
    Heartbeat,
)
"""Methods that tell nobody anything when they succeed."""


def report(world: World) -> str:
    """The seed, what was left in the queues, who consumes, and the last things that happened."""
    lines = [f"RabbitMQ {world.version}, seed {world.seed}, {world.now:.6f} s of virtual time"]
    lines += describe_queues(world)
    trace = world.trace if world.trace.is_on else ()
    events = [event for event in trace if event.kind not in INNER and not isinstance(event.method, HANDSHAKE)]
    events = events[-LAST_EVENTS:]
    lines.append(f"the last {len(events)} things that happened:" if events else "nothing has happened yet")
    lines += [f"  {event}" for event in events]
    return "\n".join(lines)


def describe_queues(world: World) -> list[str]:
    """All queues and their consumers, a line each."""
    if world.node is None:
        return ["the broker is down"]
    found = [(vhost.name, queue) for vhost in Listings(world).vhosts() for queue in vhost.queues.values()]
    if not found:
        return ["no queues"]
    return ["queues:", *(f"  {line}" for vhost, queue in found for line in _describe_queue(queue, vhost))]


def _describe_queue(queue: QueueSnapshot, vhost: str) -> list[str]:
    where = "" if vhost == "/" else f" in {vhost!r}"
    return [
        f"{queue.name!r}{where}: {len(queue.messages)} ready, {len(queue.unacked)} unacked, "
        f"{len(queue.consumers)} consumers",
        *(
            f"  consumer {each.tag!r} on {each.connection} channel {each.channel} holds {each.unacked}"
            + (f" of at most {each.prefetch_count}" if each.prefetch_count else "")
            for each in queue.consumers
        ),
    ]
