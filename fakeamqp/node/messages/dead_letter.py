"""Dead-lettering: what becomes of messages that a queue gives up.

Source: rabbit_dead_letter.erl; what 3.10 and 4.0 write into the headers was observed.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from fakeamqp.node.observers.watching import DEAD_LETTERED, REFUSED, UNDELIVERABLE
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.sessions.reply_to import deliver_replies
from fakeamqp.node.state.message import Death, Message
from fakeamqp.node.words.dates import date_s
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.tables import EMPTY_TABLE, LongLong, Table

if TYPE_CHECKING:
    from fakeamqp.node.node import Node

X_DEATH = "x-death"
CC = "CC"


def dead_letter(
    node: Node, queue: Queue, message: Message, reason: str, arrived: list[str] | None = None, failures: int = 0
) -> bool:
    """Publish a message that a queue has given up to the queue's dead letter exchange, if there is one.

    `failures` are those of its deliveries. Queues whose names are in `arrived` have it already; those that it now comes
    to are added. Returns whether it has arrived wherever it should go, and that is somewhere.
    """
    arrived = [] if arrived is None else arrived
    refusals = _dead_letter(node, queue, message, reason, arrived, failures)
    has_arrived = bool(arrived) and not refusals
    for target, dead in refusals:  # which grows meanwhile
        if target.settings.overflow == "reject-publish-dlx":
            refusals += _dead_letter(node, target, dead, "maxlen", [])
    return has_arrived


def _dead_letter(
    node: Node, queue: Queue, message: Message, reason: str, arrived: list[str], failures: int = 0
) -> list[tuple[Queue, Message]]:
    """Publish a dead letter; which full queues have refused what. One that would go in a circle counts as arrived."""
    settings = queue.settings
    exchange = node.vhosts[queue.fact.vhost].exchanges.get(settings.dead_letter_exchange or "")
    if settings.dead_letter_exchange is None:
        return []
    if exchange is None:
        if node.watch is not None:
            named = {"reason": reason, "dead_letter_exchange": settings.dead_letter_exchange}
            node.watch(node.now_us, UNDELIVERABLE, message, (queue,), None, named)
        return []
    dead = _dead(node, queue, message, reason, failures)
    targets = node.vhosts[queue.fact.vhost].route(exchange.name, dead)
    if not exchange.name:
        deliver_replies(node, dead)
    registrations = queue.registrations if settings.dead_letters_at_least_once else None
    refusals: list[tuple[Queue, Message]] = []
    taking: list[Queue] = []
    in_circle: list[str] = []
    for target in targets:
        if target.name in arrived:
            continue
        if target.is_stream and not (node.profile.streams_take_any_dead_letter or settings.dead_letters_at_least_once):
            continue
        is_cycle = reason != "rejected" and _is_cycle(target.name, dead.deaths)
        if not is_cycle and target.may_refuse and target.refuses(dead, registrations):
            refusals.append((target, dead))
            continue
        arrived.append(target.name)
        if is_cycle:
            in_circle.append(target.name)
        else:
            taking.append(target)
            node.enqueue(target, dead)
    if node.watch is not None:
        vhost = queue.fact.vhost
        details: Table = {"queue": queue.name, "vhost": vhost, "reason": reason, "in_circle": in_circle}
        node.watch(node.now_us, DEAD_LETTERED, dead, tuple(taking), None, details)
        for target, _ in refusals:
            node.watch(node.now_us, REFUSED, dead, (target,))
    return refusals


def _is_cycle(queue: str, deaths: tuple[Death, ...]) -> bool:
    """Whether a message has been in a queue before, and has come round without anybody rejecting it."""
    for death in deaths:
        if death.reason == "rejected":
            return False
        if death.queue == queue:
            return True
    return False


def _dead(node: Node, queue: Queue, message: Message, reason: str, failures: int) -> Message:
    profile = node.profile
    properties = message.properties
    known = message.deaths if profile.keeps_own_deaths else _deaths_in(properties.headers or EMPTY_TABLE)
    deaths = _with_death(node, queue, message, reason, known)
    new_key = queue.settings.dead_letter_routing_key
    headers = dict(properties.headers or EMPTY_TABLE)
    if new_key is not None and not profile.keeps_own_deaths:
        headers.pop(CC, None)
    is_first = not known if profile.keeps_own_deaths else X_DEATH not in headers
    headers |= _death_headers(deaths, profile, is_first=is_first)
    changed = properties.replace(headers=dict(sorted(headers.items())), expiration=None)
    return Message(
        queue.settings.dead_letter_exchange or "",
        message.routing_key if new_key is None else new_key,
        changed,
        message.body,
        further_keys=message.further_keys if new_key is None else (),
        deaths=deaths,
        failures=failures,
    )


def _with_death(node: Node, queue: Queue, message: Message, reason: str, known: tuple[Death, ...]) -> tuple[Death, ...]:
    """The deaths so far and this one: the latest first, and those of one queue and reason counted."""
    same = [death for death in known if (death.queue, death.reason) == (queue.name, reason)]
    others = [death for death in known if (death.queue, death.reason) != (queue.name, reason)]
    if not node.profile.keeps_own_deaths:
        others.reverse()  # observed: 3.10 turns the older ones round each time
    if same:
        is_sorted = not node.profile.keeps_own_deaths
        again = same[0].replace(count=same[0].count + 1, written=None, is_sorted=is_sorted)
        return (again, *others)
    keeps_own = node.profile.keeps_own_deaths
    blind_keys = _blind_keys(message, known) if keeps_own else ()
    death = Death(
        queue.name,
        reason,
        1,
        date_s(node.now_us),
        message.exchange,
        _told_keys(message, blind_keys) if keeps_own else (message.routing_key, *message.cc()),
        message.properties.expiration,
        blind_keys,
        is_sorted=not keeps_own and isinstance((message.properties.headers or EMPTY_TABLE).get(X_DEATH), list),
    )
    return (death, *others)


def _blind_keys(message: Message, known: tuple[Death, ...]) -> tuple[str, ...]:
    """What BCC named: behind CC among the further keys, until a dead letter gets a key of its own."""
    return known[0].blind_keys if known else message.further_keys[len(message.cc()) :]


def _told_keys(message: Message, blind_keys: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that a message was published with, the last time, without those of BCC (mc.erl; observed)."""
    keys = [message.routing_key, *message.further_keys]
    for key in blind_keys:
        if key in keys:
            keys.remove(key)
    return tuple(keys)


def _death_headers(deaths: tuple[Death, ...], profile: Profile, *, is_first: bool) -> Table:
    latest = deaths[0]
    made: Table = {}
    if is_first:
        made |= _summary("first", latest)
    if profile.keeps_own_deaths:
        made |= _summary("last", latest)
    made[X_DEATH] = [_entry(death, profile) for death in deaths]
    return made


def _summary(which: str, death: Death) -> Table:
    return {
        f"x-{which}-death-exchange": death.exchange,
        f"x-{which}-death-queue": death.queue,
        f"x-{which}-death-reason": death.reason,
    }


def _entry(death: Death, profile: Profile) -> Table:
    if death.written is not None:
        return death.written
    expiration = {} if death.original_expiration is None else {"original-expiration": death.original_expiration}
    entry: Table = {
        "count": LongLong(death.count),
        "reason": death.reason,
        "queue": death.queue,
        "time": datetime.datetime.fromtimestamp(death.time_s, datetime.timezone.utc),
        "exchange": death.exchange,
        "routing-keys": list(death.routing_keys),
    }
    entry = {**expiration, **entry} if profile.keeps_own_deaths else {**entry, **expiration}
    return dict(sorted(entry.items())) if death.is_sorted else entry


def _deaths_in(headers: Table) -> tuple[Death, ...]:
    """What a message's own x-death says; 3.10 believes it, also where a publisher has written it."""
    found = headers.get(X_DEATH)
    if not isinstance(found, list):
        return ()
    return tuple(_death_in(entry) for entry in found if isinstance(entry, dict))


def _death_in(entry: dict[str, Any]) -> Death:
    time, count = entry.get("time"), entry.get("count")
    return Death(
        queue=entry.get("queue", ""),
        reason=entry.get("reason", ""),
        count=int(count) if isinstance(count, int) else 0,
        time_s=int(time.timestamp()) if isinstance(time, datetime.datetime) else 0,
        exchange=entry.get("exchange", ""),
        routing_keys=tuple(entry.get("routing-keys", ())),
        original_expiration=entry.get("original-expiration"),
        written=entry,
        is_sorted=list(entry) == sorted(entry),
    )
