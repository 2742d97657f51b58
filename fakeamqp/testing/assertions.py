"""Assertions about what programs did, and what became of their messages, that say what there was instead.

    assert_published(broker, exchange="orders", routing_key="eu.created", times=1)
    assert_routed(broker, body=b"one", to="invoices")

They read the broker's trace: they are about everything since the broker was made, or since `broker.trace.clear()`.
Where the trace has forgotten a part of that, or records nothing, they raise Misuse: give the broker `trace_limit=None`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fakeamqp.broker import Broker
from fakeamqp.node.state.watching import ACKED, DEAD_LETTERED, DELIVERED, ROUTED
from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.management.report import describe_queues
from fakeamqp.simulation.record.selection import Selection, as_body
from fakeamqp.simulation.record.snapshots import QueueSnapshot
from fakeamqp.simulation.record.trace import EFFECT, SENT, Event
from fakeamqp.simulation.tasks.waiting import Deadlock
from fakeamqp.spec.errors import Misuse
from fakeamqp.testing.candidates import MOST_SHOWN, Wish, equal, going_to, having_headers, nearest, told, wished

Text = bytes | str


def assert_published(
    broker: Broker,
    *,
    exchange: str | None = None,
    routing_key: str | None = None,
    body: Text | None = None,
    headers: Mapping[str, Any] | None = None,
    message_id: str | None = None,
    task: str | None = None,
    times: int | None = None,
) -> Selection:
    """A client has published such a message: `times` times, at least once if not told; returns the events.

    - exchange, routing_key, body, message_id: as they were published; text is a UTF-8 body; None is any
    - headers: those that it must have, among others
    - task: the name of the task that published
    """
    __tracebackhide__ = True
    wishes = _wishes(
        exchange=exchange, routing_key=routing_key, body=body, headers=headers, message_id=message_id, task=task
    )
    return _assert(broker, "published", _events(broker, kind=SENT, method="basic.publish"), wishes, times)


def assert_routed(
    broker: Broker,
    *,
    to: str | None,
    exchange: str | None = None,
    routing_key: str | None = None,
    body: Text | None = None,
    headers: Mapping[str, Any] | None = None,
    message_id: str | None = None,
    times: int | None = None,
) -> Selection:
    """Such a message was routed to the queue `to`, or with None to no queue at all; the rest as in `assert_published`.

    Where one was published that went elsewhere, the message says of every binding why.
    """
    __tracebackhide__ = True
    wishes = _wishes(exchange=exchange, routing_key=routing_key, body=body, headers=headers, message_id=message_id)
    wishes.append(going_to(to))
    events = _events(broker, kind=EFFECT, outcome=ROUTED)
    return _assert(broker, "routed", events, wishes, times, explains=True)


def assert_delivered(
    broker: Broker,
    *,
    queue: str | None = None,
    exchange: str | None = None,
    routing_key: str | None = None,
    body: Text | None = None,
    redelivered: bool | None = None,
    message_id: str | None = None,
    task: str | None = None,
    times: int | None = None,
) -> Selection:
    """Such a message went from a queue to a client, to a consumer or by basic.get; the client may not have read it yet.

    `redelivered` is whether the message said so; the rest as in `assert_published`.
    """
    __tracebackhide__ = True
    wishes = _wishes(
        queue=queue,
        exchange=exchange,
        routing_key=routing_key,
        body=body,
        message_id=message_id,
        redelivered=redelivered,
        task=task,
    )
    return _assert(broker, "delivered", _events(broker, kind=EFFECT, outcome=DELIVERED), wishes, times)


def assert_acked(
    broker: Broker,
    *,
    queue: str | None = None,
    exchange: str | None = None,
    routing_key: str | None = None,
    body: Text | None = None,
    message_id: str | None = None,
    task: str | None = None,
    times: int | None = None,
) -> Selection:
    """A client has acknowledged such a message, which it got from `queue`; the rest as in `assert_published`.

    What is delivered with auto_ack needs no acknowledgement, and gets none.
    """
    __tracebackhide__ = True
    wishes = _wishes(
        queue=queue, exchange=exchange, routing_key=routing_key, body=body, message_id=message_id, task=task
    )
    return _assert(broker, "acked", _events(broker, kind=EFFECT, outcome=ACKED), wishes, times)


def assert_dead_lettered(
    broker: Broker,
    *,
    queue: str | None = None,
    reason: str | None = None,
    to: str | None = None,
    exchange: str | None = None,
    routing_key: str | None = None,
    body: Text | None = None,
    message_id: str | None = None,
    times: int | None = None,
) -> Selection:
    """A queue has dead-lettered such a message.

    - queue: the one it died in
    - reason: "expired", "maxlen", "rejected" or "delivery_limit"
    - to: a queue that has it now
    - exchange, routing_key: those of the dead letter
    """
    __tracebackhide__ = True
    wishes = _wishes(
        queue=queue, reason=reason, exchange=exchange, routing_key=routing_key, body=body, message_id=message_id
    )
    if to is not None:
        wishes.append(going_to(to))
    return _assert(broker, "dead-lettered", _events(broker, kind=EFFECT, outcome=DEAD_LETTERED), wishes, times)


def assert_nothing_left(broker: Broker, *, vhost: str | None = None, but: tuple[str, ...] = ()) -> None:
    """No queue has a message, ready or unacknowledged; in all virtual hosts if not told in which.

    `but` names queues that may have some. Streams do not count, as they keep what was read.
    """
    __tracebackhide__ = True
    left = []
    for host in broker.vhosts() if vhost is None else [broker.vhost(vhost)]:
        for queue in host.queues.values():
            if queue.type != "stream" and queue.name not in but and (queue.messages or queue.unacked):
                left += _left(queue, host.name)
    if left:
        raise AssertionError("\n".join(["there are messages left:", *left]))


def assert_eventually(broker: Broker, predicate: Callable[[], Any], *, within: float) -> None:
    """`predicate()` is true now, or comes true while tasks run and virtual time passes, `within` so many seconds.

    Time goes no further than it must. Without tasks, programs hold still meanwhile, as in `broker.advance`.
    """
    __tracebackhide__ = True
    if broker.simulation.tasks.scheduler is not None:
        try:
            broker.run(until=predicate, seconds=within)
        except Deadlock:
            raise AssertionError(_never(broker, predicate, within)) from None
        return
    world = broker.simulation.world
    end_us = world.clock.now_us + to_us(within)
    while not predicate():
        now_us = world.clock.now_us
        if now_us >= end_us:
            raise AssertionError(_never(broker, predicate, within))
        deadline_us = world.next_deadline()
        next_us = end_us if deadline_us is None else min(end_us, max(deadline_us, now_us))
        broker.advance((next_us - now_us) / 1e6)


def _never(broker: Broker, predicate: Callable[[], Any], within: float) -> str:
    name = getattr(predicate, "__name__", repr(predicate))
    what = "the predicate" if name == "<lambda>" else f"{name}()"
    return "\n".join(
        [f"{what} was not true within {within:g} virtual seconds", *describe_queues(broker.simulation.world)]
    )


def _events(broker: Broker, **criteria: str) -> Selection:
    trace = broker.trace
    if not trace.is_on:
        raise Misuse("these assertions read the trace, and this broker has none; make it with trace_limit=None")
    if not trace.is_complete:
        raise Misuse(
            f"these assertions read the trace, and it has forgotten what came before the last {trace.limit} events; "
            "make the broker with trace_limit=None, or call broker.trace.clear() where the part begins that matters"
        )
    return trace.filter(**criteria)


def _wishes(*, body: Text | None = None, headers: Mapping[str, Any] | None = None, **wanted: Any) -> list[Wish]:
    wishes = [
        equal(name, value, lambda event, name=name: _value(event, name))  # type: ignore[misc]
        for name, value in wanted.items()
        if value is not None
    ]
    if body is not None:
        wishes.append(equal("body", as_body(body), lambda event: event.body))
    if headers is not None:
        wishes.append(having_headers(headers))
    return wishes


def _value(event: Event, name: str) -> Any:
    """What an event says of this: of itself, of its message's properties, or of what became of the message."""
    if name == "message_id":
        return event.properties.message_id
    if name in ("queue", "reason", "redelivered"):
        return None if event.details is None else event.details.get(name)
    return getattr(event, name)


def _assert(
    broker: Broker,
    what: str,
    events: Selection,
    wishes: list[Wish],
    times: int | None,
    *,
    explains: bool = False,
) -> Selection:
    __tracebackhide__ = True
    found = [event for event in events if all(wish.is_met(event) for wish in wishes)]
    if found if times is None else len(found) == times:
        return Selection(found, ", ".join(filter(None, (what, wished(wishes)))))
    such = f" with {wished(wishes)}" if wishes else ""
    wanted = "" if times is None else f", not {times}"
    lines = [f"{_count(len(found))} {what}{such}{wanted}{':' if found else ''}"]
    lines += [f"  {event}" for event in found]
    candidates = nearest(events, wishes)
    if times is None or len(found) < times:
        lines += [f"nearest of what was {what}:", *told(candidates, wishes)] if candidates else _instead(broker, what)
    if explains and candidates and broker.is_running and _differs_in_queues_alone(candidates[0], wishes):
        lines += ["", *_why(broker, candidates[0], wishes)]
    raise AssertionError("\n".join(lines))


def _why(broker: Broker, event: Event, wishes: list[Wish]) -> list[str]:
    """Why a message went where it went, and not where it should have gone."""
    explanation = broker.explain_published(event)
    (wanted,) = (wish.wanted for wish in wishes if wish.name == "to")
    bound = {each.binding.destination for exchange in explanation.exchanges for each in exchange.bindings}
    unbound = [f"no binding on its way leads to {wanted!r}"] * (wanted is not None and wanted not in bound)
    return [*str(explanation).splitlines(), *unbound]


def _differs_in_queues_alone(event: Event, wishes: list[Wish]) -> bool:
    return all(wish.is_met(event) for wish in wishes if wish.name != "to")


def _count(number: int) -> str:
    return "no message was" if number == 0 else "1 message was" if number == 1 else f"{number} messages were"


def _instead(broker: Broker, what: str) -> list[str]:
    """Where nothing of the kind has happened, what has."""
    published = _events(broker, kind=SENT, method="basic.publish")
    if what == "published" or not published:
        return ["nothing else was published"]
    effects = _events(broker, kind=EFFECT)[-MOST_SHOWN:]
    return [f"nothing else was {what}; the last that happened to messages:", *(f"  {event}" for event in effects)]


def _left(queue: QueueSnapshot, vhost: str) -> list[str]:
    where = "" if vhost == "/" else f" in {vhost!r}"
    shown = [
        *(f"{each.body!r}, ready" for each in queue.messages),
        *(f"{each.body!r}, unacked" for each in queue.unacked),
    ]
    more = len(shown) - MOST_SHOWN
    return [
        f"  {queue.name!r}{where}: {len(queue.messages)} ready, {len(queue.unacked)} unacked",
        *(f"    {each}" for each in shown[:MOST_SHOWN]),
        *[f"    ... and {more} more"] * (more > 0),
    ]
