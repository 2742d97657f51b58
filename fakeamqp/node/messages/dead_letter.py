"""Dead-lettering: what becomes of messages that a queue gives up.

Source: rabbit_dead_letter.erl; what 3.10 and 4.0 write into the headers was observed.
"""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

from fakeamqp.node.kernel.message import Death, Entry, Message, MessageWithMore
from fakeamqp.node.messages.reply_to import deliver_replies
from fakeamqp.node.queues.effects import Discarded
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.queue_commands import Crash, Publish, TimePasses
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.state.watching import DEAD_LETTERED, REFUSED, UNDELIVERABLE, Watch
from fakeamqp.node.words.dates import date_s
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.tables import EMPTY_TABLE, LongLong, Table

X_DEATH = "x-death"
CC = "CC"

DEAD_LETTER_RETRY_US = 180_000_000
"""How long a dead letter waits that could not be delivered (rabbit_fifo_dlx_worker.erl, settle_timeout)."""


def give_up(state: NodeState, queue: Queue, entry: Entry, reason: str, failures: int) -> None:
    """A queue has given up an entry: dead-letter it, and keep it until that is done where it must not be lost."""
    if state.watch is not None:
        state.watch((state.now_us, reason, entry.message, queue.alone, None, None))
    if not (queue.type.carries_failures and state.profile.keeps_own_deaths):
        failures = 0
    if _is_deadly(state.profile, state.vhosts, queue, entry.message):
        state.retract_entry(queue, entry)
        if queue.type.is_one_process:
            state.line.appendleft(Crash(queue))
        return
    if not queue.settings.dead_letters_at_least_once:
        dead_letter(state, queue, entry.message, reason, failures)
        state.retract_entry(queue, entry)
        return
    discarded = Discarded(entry, reason, failures)
    queue.discard(discarded)
    assert queue.store is not None  # a quorum queue survives
    state.journal.discard_entry(queue.store, entry, reason)
    _send(state, queue, discarded)


def _is_deadly(profile: Profile, vhosts: dict[str, VirtualHost], queue: Queue, message: Message) -> bool:
    """Whether 3.10 cannot read what a publisher has written into x-death, and dies of it (observed)."""
    if not profile.bad_deaths_kill or queue.settings.dead_letter_exchange is None:
        return False
    exists = queue.settings.dead_letter_exchange in vhosts[queue.fact.vhost].exchanges
    written = (message.properties.headers or EMPTY_TABLE).get(X_DEATH)
    return exists and isinstance(written, list) and not all(isinstance(each, dict) for each in written)


def _send(state: NodeState, queue: Queue, discarded: Discarded) -> None:
    """Dead-letter what must arrive."""
    discarded.is_sent = True
    discarded.is_refused = False
    discarded.position = 0
    state.dead_letters.append((queue, discarded))
    dead_letter(state, queue, discarded.entry.message, discarded.reason, discarded.failures, discarded)


def finish_dead_letters(state: NodeState) -> None:
    """Let go of what has arrived wherever it should go, and is safe there; try the others again after a while."""
    under_way, state.dead_letters = state.dead_letters, []
    for queue, discarded in under_way:
        if queue.is_deleted:
            continue
        if discarded.is_refused or not discarded.arrived:
            discarded.is_sent = False
            if queue.retry_timer is None:
                retry = partial(retry_dead_letters, state, queue)
                queue.retry_timer = state.timers.at(state.now_us + DEAD_LETTER_RETRY_US, retry)
        elif discarded.position <= state.journal.synced:
            queue.forget_discarded(discarded)
            state.retract_entry(queue, discarded.entry)
            state.line.append(TimePasses(queue))  # which may have room now
        else:
            state.dead_letters.append((queue, discarded))


def retry_dead_letters(state: NodeState, queue: Queue) -> None:
    """Send again what has died and could not arrive before."""
    queue.retry_timer = None
    for discarded in queue.discarded.values():
        if not discarded.is_sent:
            _send(state, queue, discarded)


def dead_letter(
    state: NodeState,
    queue: Queue,
    message: Message,
    reason: str,
    failures: int = 0,
    discarded: Discarded | None = None,
) -> None:
    """Publish a message that a queue has given up to the queue's dead letter exchange, if there is one.

    `failures` are those of its deliveries. `discarded` is told where it arrives: queues that have it already do not get
    it again, and one that would get it in a circle counts as having it.
    """
    settings = queue.settings
    if settings.dead_letter_exchange is None:
        return
    vhost = state.vhosts[queue.fact.vhost]
    exchange = vhost.exchanges.get(settings.dead_letter_exchange)
    if exchange is None:
        if state.watch is not None:
            named = {"reason": reason, "dead_letter_exchange": settings.dead_letter_exchange}
            state.watch((state.now_us, UNDELIVERABLE, message, queue.alone, None, named))
        return
    dead = _dead(state.profile, state.now_us, queue, message, reason, failures)
    targets = vhost.route(exchange.name, dead)
    if not exchange.name:
        deliver_replies(state, dead)
    _send_to(state, queue, targets, dead, reason, discarded)


def _send_to(
    state: NodeState,
    queue: Queue,
    targets: tuple[Queue, ...],
    dead: Message,
    reason: str,
    discarded: Discarded | None,
) -> None:
    taking: list[Queue] = []
    stopping: list[Queue] = []
    in_circle: list[str] = []
    for target in targets:
        if discarded is not None and target.name in discarded.arrived:
            continue
        if not target.type.takes_dead_letters(discarded is not None, state.profile):
            continue
        if reason != "rejected" and _is_cycle(target.name, dead.deaths):
            in_circle.append(target.name)
            if discarded is not None:
                discarded.taken(target.name, 0)
        elif discarded is not None and target.may_refuse and target.type.stops(target, dead, queue.registrations):
            stopping.append(target)
            discarded.refused()
        else:
            taking.append(target)
    if state.watch is not None:
        _tell(state.now_us, state.watch, queue, dead, reason, taking, stopping, in_circle)
    state.line.extend(Publish(target, dead, discarded) for target in taking)


def _tell(
    now_us: int,
    watch: Watch | None,
    queue: Queue,
    dead: Message,
    reason: str,
    taking: list[Queue],
    stopping: list[Queue],
    in_circle: list[str],
) -> None:
    assert watch is not None
    details: Table = {"queue": queue.name, "vhost": queue.fact.vhost, "reason": reason, "in_circle": in_circle}
    watch((now_us, DEAD_LETTERED, dead, tuple(taking), None, details))
    for target in stopping:
        watch((now_us, REFUSED, dead, (target,), None, None))


def _is_cycle(queue: str, deaths: tuple[Death, ...]) -> bool:
    """Whether a message has been in a queue before, and has come round without anybody rejecting it."""
    for death in deaths:
        if death.reason == "rejected":
            return False
        if death.queue == queue:
            return True
    return False


def _dead(profile: Profile, now_us: int, queue: Queue, message: Message, reason: str, failures: int) -> Message:
    properties = message.properties
    known = message.deaths if profile.keeps_own_deaths else _deaths_in(properties.headers or EMPTY_TABLE)
    deaths = _with_death(profile, now_us, queue, message, reason, known)
    new_key = queue.settings.dead_letter_routing_key
    headers = dict(properties.headers or EMPTY_TABLE)
    if new_key is not None and not profile.keeps_own_deaths:
        headers.pop(CC, None)
    is_first = not known if profile.keeps_own_deaths else X_DEATH not in headers
    headers |= _death_headers(deaths, profile, is_first=is_first)
    changed = properties.replace(headers=dict(sorted(headers.items())), expiration=None)
    return MessageWithMore(
        queue.settings.dead_letter_exchange or "",
        message.routing_key if new_key is None else new_key,
        changed,
        message.body,
        further_keys=message.further_keys if new_key is None else (),
        deaths=deaths,
        failures=failures,
    )


def _with_death(
    profile: Profile, now_us: int, queue: Queue, message: Message, reason: str, known: tuple[Death, ...]
) -> tuple[Death, ...]:
    """The deaths so far and this one: the latest first, and those of one queue and reason counted."""
    same = [death for death in known if (death.queue, death.reason) == (queue.name, reason)]
    others = [death for death in known if (death.queue, death.reason) != (queue.name, reason)]
    if not profile.keeps_own_deaths:
        others.reverse()  # observed: 3.10 turns the older ones round each time
    if same:
        is_sorted = not profile.keeps_own_deaths
        again = same[0].replace(count=same[0].count + 1, written=None, is_sorted=is_sorted)
        return (again, *others)
    keeps_own = profile.keeps_own_deaths
    blind_keys = _blind_keys(message, known) if keeps_own else ()
    death = Death(
        queue.name,
        reason,
        1,
        date_s(now_us),
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
