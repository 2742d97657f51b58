"""Two brokers that run the same steps: fakeamqp, which says what should happen, and a real one, which is asked."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pika

import fakeamqp
from fakeamqp.node.node import Node
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.state.connection import Channel
from fakeamqp.simulation.world.chance import RecordingChooser, SeededChooser
from fakeamqp.spec import methods
from fakeamqp.spec.methods import ChannelOpen, ExchangeDelete, Method, QueueDeclare, QueueDeclareOk, QueueDelete
from tests.model.differential import freedoms
from tests.model.differential.observations import Observation, Observer, Place
from tests.model.differential.steps import (
    CHANNELS,
    CONNECTIONS,
    REPLY_ADDRESS,
    SERVER_NAMED,
    USERS,
    ClearPolicy,
    Command,
    Pass,
    Restart,
    SetPermissions,
    SetPolicy,
    SetTopicPermissions,
    Step,
)
from tests.model.differential.wire import NoAnswer, Wire

MONITOR = 9
"""The channel of each connection on which queues are asked how they are."""
NOT_FOUND = 404
A_MOMENT = 0.02
"""Seconds in which a real broker does what nobody can ask about."""
ATTEMPTS = 2000
"""How often to try to delete a queue."""
LONGEST_SECONDS = 1.5
"""How long a program may take between steps in which time passes: less than the shortest time to live."""
STILL_LOCKED = (-1, -1)
"""Told of a queue that is there, but not for this connection: its own is closed, and it will go."""
BETWEEN_STEPS = 0.001
"""Seconds that pass on fakeamqp between two steps, as they do in reality: what expires at once, expires."""

PREDECLARED = "amq."

Connect = Callable[[str], pika.BlockingConnection]
"""Opens a connection of the user of this name, whose password is the same."""


class Topology(NamedTuple):
    """What there is besides messages, consumers and policies, as the methods that declare it."""

    exchanges: tuple[methods.ExchangeDeclare, ...]
    queues: tuple[QueueDeclare, ...]
    bindings: tuple[Method, ...]
    fleeting: tuple[str, ...]
    """What the program calls queues that cannot be declared again: which the broker has named, or are exclusive."""


class Side:
    """A broker, the program's connections to it, and what the program knows: what it holds, what the broker named."""

    def __init__(self, connect: Connect, operator: Any, vhost: str) -> None:
        self._connect = connect
        self._operator = operator
        self.vhost = vhost
        self._observer = Observer()
        self.owners: dict[str, int] = {}
        """The connections that declared exclusive queues."""
        self.held: dict[Place, list[int]] = {}
        """Delivery tags that a channel has not settled, oldest first."""
        self.consumers: dict[Place, dict[str, methods.BasicConsume]] = {}
        """A channel's consumers, by tag."""
        self.transactional: set[Place] = set()
        """Channels that have asked for transactions."""
        self.is_restricted = False
        """Whether permissions were changed."""
        self.policies: dict[tuple[str, bool], None] = {}
        """The names of the policies that are set, and whether they are operator policies."""
        self.wires = [self._open_wire(connection) for connection in CONNECTIONS]

    def _open_wire(self, connection: int) -> Wire:
        wire = Wire(self._connect(USERS[connection]))
        for channel in (*CHANNELS, MONITOR):
            wire.call(channel, ChannelOpen())
            self._forget((connection, channel))
        wire.arrived.clear()
        return wire

    def _forget(self, place: Place) -> None:
        self.held[place] = []
        self.consumers[place] = {}
        self.transactional.discard(place)
        self._observer.forget(place)

    def close(self) -> None:
        """Close all connections."""
        for wire in self.wires:
            wire.close()

    # -- a step -----------------------------------------------------------------------------------------------------

    def make(self, step: Step) -> bool:
        """Make a step; False where it means what is not there: a delivery, a policy. What comes of it is observed."""
        place = (step.connection, step.channel)
        method = step.method
        if not isinstance(method, Method):
            return self.operate(method)
        if step.held is not None:
            if not self.held[place]:
                return False
            held = self.held[place]
            method = method.replace(delivery_tag=held[step.held % len(held)])
        wire = self.wires[step.connection]
        if isinstance(method, methods.ConnectionClose):
            wire.close()
        else:
            wire.call(step.channel, self._with_names(method))
            self._account(place, method)
        return True

    def operate(self, command: Command) -> bool:
        """Do what no channel does; False where it clears a policy that is not set."""
        if isinstance(command, SetPermissions):
            permissions = (command.configure, command.write, command.read)
            self._operator.set_permissions(USERS[1], *permissions, vhost=self.vhost)
            self.is_restricted = True
        elif isinstance(command, SetTopicPermissions):
            topics = (command.exchange, command.write, command.read)
            self._operator.set_topic_permissions(USERS[1], *topics, vhost=self.vhost)
            self.is_restricted = True
        elif isinstance(command, Pass):
            self.let_time_pass(command.seconds)
        elif isinstance(command, Restart):
            self.restart()
        else:
            return self._operate_policy(command)
        return True

    def let_time_pass(self, seconds: float) -> None:
        """Let so many seconds pass."""
        raise NotImplementedError

    def restart(self) -> None:
        """Stop the node gracefully, and start it again."""
        raise NotImplementedError

    def _operate_policy(self, command: SetPolicy | ClearPolicy) -> bool:
        name, kind = command.name, "operator_policy" if command.is_operator else "policy"
        if isinstance(command, SetPolicy):
            how = (command.apply_to, command.priority)
            getattr(self._operator, f"set_{kind}")(name, command.pattern, command.definition, self.vhost, *how)
            self.policies[name, command.is_operator] = None
            return True
        if (name, command.is_operator) not in self.policies:
            return False
        getattr(self._operator, f"clear_{kind}")(name, self.vhost)
        del self.policies[name, command.is_operator]
        return True

    def _with_names(self, method: Method) -> Method:
        changes = {
            name: self._observer.names.get(getattr(method, name), "nothing named so")
            for name in ("queue", "routing_key")
            if str(getattr(method, name, "")).startswith((SERVER_NAMED, REPLY_ADDRESS))
        }
        return method.replace(**changes) if changes else method

    def _account(self, place: Place, method: Method) -> None:
        """Keep track of what the program has, as far as its own methods change it."""
        held = self.held[place]
        if isinstance(method, methods.BasicAck | methods.BasicNack | methods.BasicReject):
            tag = method.delivery_tag
            multiple = getattr(method, "multiple", False)
            held[:] = [each for each in held if (multiple and tag and each > tag) or (not multiple and each != tag)]
        elif isinstance(method, methods.BasicRecover | methods.BasicRecoverAsync):
            held.clear()
        elif isinstance(method, methods.BasicConsume):
            self.consumers[place][method.consumer_tag] = method
        elif isinstance(method, methods.BasicCancel):
            self.consumers[place].pop(method.consumer_tag, None)
        elif isinstance(method, methods.TxSelect):
            self.transactional.add(place)
        elif isinstance(method, QueueDeclare):
            self._note_queue(place, method)

    # -- what comes of it -------------------------------------------------------------------------------------------

    def read(self, observation: Observation, step: Step) -> None:
        """Add all that has arrived to an observation."""
        for connection, wire in enumerate(self.wires):
            wire.pump()
            arrived, wire.arrived = wire.arrived, []
            for channel, method in arrived:
                if channel != MONITOR:
                    self._note((connection, channel), method, step)
                    self._observer.add(observation, (connection, channel), method)

    def _note(self, place: Place, method: Method, step: Step) -> None:
        consumers = self.consumers.get(place, {})
        got = isinstance(method, methods.BasicGetOk) and not getattr(step.method, "no_ack", False)
        delivered = isinstance(method, methods.BasicDeliver) and method.consumer_tag in consumers
        if got or (delivered and not consumers[method.consumer_tag].no_ack):  # type: ignore[attr-defined]
            self.held[place].append(method.delivery_tag)  # type: ignore[attr-defined]

    def _note_queue(self, place: Place, declared: QueueDeclare) -> None:
        """Remember what the broker named, and whose an exclusive queue is."""
        answers = [each for at, each in self.wires[place[0]].arrived if at == place[1]]
        if not answers or not isinstance(answers[-1], QueueDeclareOk):
            return
        name = answers[-1].queue
        if not declared.queue and name not in self._observer.names.values():
            self._observer.names[f"{SERVER_NAMED}{len(self._observer.names) + 1}"] = name
        if declared.exclusive and not declared.passive:
            self.owners[name] = place[0]

    def may_choose(self) -> bool:
        """Whether a step has closed a connection in such a way that RabbitMQ may do this or that; ask before `renew`.

        The channels of a connection end one after the other. What the first held returns to its queue, and may go to
        a consumer of one that is yet to end, from where it returns again: more than once, and in another order.
        """
        closed = [connection for connection, wire in enumerate(self.wires) if not wire.is_open]
        for connection in closed:
            places = [(connection, channel) for channel in CHANNELS]
            busy = [place for place in places if self.held[place] or self.consumers[place]]
            if len(busy) > 1 and any(self.consumers[place] for place in busy):
                return True
        return False

    def is_interleaved(self, found: Observation, expected: Observation) -> bool:
        """Whether two observations differ in nothing but whose delivery came first to a channel, of several queues.

        Each queue is a process of its own: nobody knows which is faster.
        """
        return found.arrived != expected.arrived and self._by_queue(found) == self._by_queue(expected)

    def _by_queue(self, observation: Observation) -> tuple[object, ...]:
        parts: dict[tuple[Place, str], list[str]] = {}
        for place, lines in observation.arrived.items():
            for line in lines:
                delivery = re.match(r"BasicDeliver\(consumer_tag='([^']*)', delivery_tag=\d+", line)
                consumer = self.consumers.get(place, {}).get(delivery[1]) if delivery else None
                queue = consumer.queue if consumer else ""
                parts.setdefault((place, queue), []).append(line[delivery.end() :] if delivery else line)
        return parts, observation.confirmed, observation.refused, observation.queues

    def has_no_wire(self) -> bool:
        """Whether all connections are closed, as after a restart: then nobody can be asked anything."""
        return not any(wire.is_open for wire in self.wires)

    def renew(self, observation: Observation) -> None:
        """Open again what the step has closed."""
        closed = [connection for connection, wire in enumerate(self.wires) if not wire.is_open]
        for connection in closed:
            self.wires[connection] = self._open_wire(connection)
        for (connection, channel), lines in observation.arrived.items():
            if channel and connection not in closed and self._is_closed(lines):
                self._reopen(connection, channel)

    @staticmethod
    def _is_closed(lines: list[str]) -> bool:
        return any(line.startswith("ChannelClose") for line in lines)

    def _reopen(self, connection: int, channel: int) -> None:
        wire = self.wires[connection]
        wire.call(channel, ChannelOpen())
        wire.arrived.remove((channel, methods.ChannelOpenOk()))
        self._forget((connection, channel))

    # -- bringing two sides together --------------------------------------------------------------------------------

    def start_anew(self, topology: Topology) -> None:
        """Close the connections and declare the topology anew, without messages; what is fleeting goes."""
        for wire in self.wires:
            wire.close()
        self.wires = [self._open_wire(connection) for connection in CONNECTIONS]
        self.owners.clear()
        self.clear(topology)
        self._observer.names.clear()
        for method in (*topology.exchanges, *topology.queues, *topology.bindings):
            self._say(method)

    def clear(self, topology: Topology) -> None:
        """Delete exchanges and queues."""
        for name in (*(each.queue for each in topology.queues), *map(self.name_of, topology.fleeting)):
            for _ in range(ATTEMPTS):
                if self._say(QueueDelete(name)):
                    break  # otherwise it is exclusive: its connection is closed, and it will go
            else:
                raise NoAnswer(f"queue {name!r} cannot be deleted")
        for exchange in topology.exchanges:
            self._say(ExchangeDelete(exchange.exchange))

    def _say(self, method: Method) -> bool:
        """Say something as the monitor; whether it was not refused."""
        wire = self.wires[0]
        wire.call(MONITOR, method)
        refused = any(at == MONITOR and isinstance(each, methods.ChannelClose) for at, each in wire.arrived)
        if refused:
            wire.call(MONITOR, ChannelOpen())
        wire.arrived.clear()
        return not refused

    def name_of(self, called: str) -> str:
        """The name of what the program calls so."""
        return self._observer.names.get(called, called)

    def reply_addresses(self) -> list[str]:
        """What the program calls the addresses of direct replies that it has seen."""
        return [name for name in self._observer.names if name.startswith(REPLY_ADDRESS)]

    def called(self, name: str) -> str:
        """What the program calls a queue."""
        return {name: called for called, name in self._observer.names.items()}.get(name, name)

    def _ask(self, name: str) -> tuple[int, int] | None:
        """A queue's (ready messages, consumers); None where there is none."""
        wire = self.wires[self.owners.get(name, 0)]
        if not wire.is_open:  # what the step has closed is opened again only when all is read
            wire = next(each for each in self.wires if each.is_open)
        wire.call(MONITOR, QueueDeclare(name, passive=True))
        if not wire.is_open:  # what the step has brought has closed it meanwhile
            return self._ask(name)
        answer: Any = next(each for at, each in reversed(wire.arrived) if at == MONITOR)
        if isinstance(answer, QueueDeclareOk):
            return answer.message_count, answer.consumer_count
        wire.call(MONITOR, ChannelOpen())
        return None if answer.reply_code == NOT_FOUND else STILL_LOCKED


class FakeSide(Side):
    """fakeamqp, on a broker of its own."""

    def __init__(self, version: str, vhost: str) -> None:
        self._chooser = RecordingChooser(SeededChooser(0), 0)
        users = {USERS[1]: USERS[1]}
        self.broker = fakeamqp.Broker(version=version, vhosts=[vhost], users=users, chooser=self._chooser)
        self._numbers: dict[int, int] = {}
        """The node's numbers of the program's connections."""
        super().__init__(self._connected, self.broker, vhost)
        self.queues: dict[str, tuple[int, int]] = {}
        """What the last observation found in the queues."""
        self._types: dict[str, set[str]] = {}
        """Of which types queues of a name have been."""
        self._leaves_freedom = False
        """Whether RabbitMQ may do this or that after the last step: it is one of `freedoms.overtakes`."""
        self._outruns_expiry = False
        """Whether it is one of `freedoms.outruns_expiry`."""
        self._has_reused_tag = False
        """Whether any step was one of `freedoms.reuses_tag`."""

    def _connected(self, user: str) -> pika.BlockingConnection:
        credentials = pika.PlainCredentials(user, user)
        parameters = pika.ConnectionParameters(virtual_host=self.vhost, heartbeat=0, credentials=credentials)
        return self.broker.connect(parameters)

    def _open_wire(self, connection: int) -> Wire:
        wire = super()._open_wire(connection)
        self._numbers[connection] = max(self._node.state.connections)
        return wire

    @property
    def _node(self) -> Node:
        assert self.broker.simulation.world.node is not None  # no program stops it
        return self.broker.simulation.world.node

    def _channel(self, step: Step) -> Channel | None:
        """The node's end of a step's channel; None where it is closed."""
        connection = self._node.state.connections.get(self._numbers[step.connection])
        return None if connection is None else connection.channels.get(step.channel)

    def _queues(self) -> list[Queue]:
        return list(self._node.state.vhosts[self.vhost].queues.values())

    def let_time_pass(self, seconds: float) -> None:
        """In virtual time."""
        self.broker.advance(seconds)

    def restart(self) -> None:
        """Without waiting."""
        self.broker.stop()
        self.broker.restart()

    def start_anew(self, topology: Topology) -> None:
        """As of any side; see there."""
        super().start_anew(topology)
        self.queues = {each.queue: (0, 0) for each in topology.queues}

    def topology(self) -> Topology:
        """What there is now."""
        vhost = self.broker.vhost(self.vhost)
        exchanges = [
            methods.ExchangeDeclare(
                each.name,
                each.type,
                durable=each.durable,
                auto_delete=each.auto_delete,
                internal=each.internal,
                arguments=dict(each.arguments),
            )
            for each in vhost.exchanges.values()
            if each.name and not each.name.startswith(PREDECLARED)
        ]
        lasting = [
            each for each in vhost.queues.values() if not each.exclusive and not each.name.startswith(PREDECLARED)
        ]
        queues = [
            QueueDeclare(each.name, durable=each.durable, auto_delete=each.auto_delete, arguments=dict(each.arguments))
            for each in lasting
        ]
        names = {each.name for each in lasting}
        fleeting = tuple(self.called(name) for name in vhost.queues if name not in names)
        bindings = [
            methods.ExchangeBind(each.destination, each.source, each.routing_key, arguments=dict(each.arguments))
            if each.destination_kind == "exchange"
            else methods.QueueBind(each.destination, each.source, each.routing_key, arguments=dict(each.arguments))
            for each in vhost.bindings
            if each.destination_kind == "exchange" or each.destination in names
        ]
        return Topology(tuple(exchanges), tuple(queues), tuple(bindings), fleeting)

    def make(self, step: Step) -> bool:
        """As of any side; see there."""
        self._chooser.choices.clear()
        self.broker.trace.clear()
        channel = self._channel(step)
        self._leaves_freedom = freedoms.overtakes(channel, step)
        self._outruns_expiry = freedoms.outruns_expiry(self._queues(), step)
        self._has_reused_tag = self._has_reused_tag or freedoms.reuses_tag(channel, step)
        return super().make(step)

    def observe(self, step: Step) -> Observation:
        """What a step has brought; it has run to its end."""
        observation = Observation()
        self.read(observation, step)
        self.broker.advance(BETWEEN_STEPS)
        self.read(observation, step)
        is_free = self.may_choose()
        if self.has_no_wire():
            self.renew(observation)
        answers = {self.called(name): self._ask(name) for name in self.broker.vhost(self.vhost).queues}
        self.queues = observation.queues = {called: answer for called, answer in answers.items() if answer is not None}
        for name, queue in self.broker.vhost(self.vhost).queues.items():
            self._types.setdefault(name, set()).add(queue.type)
        effects = self.broker.trace.filter(kind="effect")
        observation.is_slow = freedoms.is_slow(effects, self._queues())
        observation.is_free = (
            is_free
            or freedoms.race(effects, self._queues())
            or freedoms.ends_with_dead_letters(effects, observation, step)
            or self._leaves_freedom
            or freedoms.wakes(self._queues(), observation)
            or any(choice.of > 1 for choice in self._chooser.choices)
        )
        self.renew(observation)
        return observation

    def explains(self, step: Step, found: Observation, expected: Observation) -> bool:
        """Whether RabbitMQ was free to bring what it has brought instead of what was expected."""
        channel = self._channel(step)
        return (
            self._outruns_expiry
            or freedoms.resumes_first(channel, step, found, expected)
            or freedoms.shares_room(channel, step, found, expected)
            or self._explains_internal_error(found)
        )

    def _explains_internal_error(self, found: Observation) -> bool:
        """Whether RabbitMQ has died of a bug of its own: 541, after `reuses_tag`, or by a name of queues of two types.

        A channel that used the quorum queue keeps a state for its name, and trips over the classic one (observed).
        """
        lines = [line for arrived in found.arrived.values() for line in arrived]
        may_die = self._has_reused_tag or any(len(types) > 1 for types in self._types.values())
        return may_die and any("reply_code=541" in line for line in lines)


class RealSide(Side):
    """A real broker; `connect` opens connections to the virtual host where programs run, `operator` commands it."""

    def __init__(self, connect: Connect, operator: Any, vhost: str, restart: Callable[[], None]) -> None:
        super().__init__(connect, operator, vhost)
        self._known: set[str] = set()
        self._restart = restart
        self._began = time.monotonic()
        """When time last passed as a step, or the program began."""

    def let_time_pass(self, seconds: float) -> None:
        """In reality."""
        time.sleep(seconds)
        self._began = time.monotonic()

    def restart(self) -> None:
        """In reality, which takes seconds."""
        self._restart()
        self._began = time.monotonic()

    def start_anew(self, topology: Topology) -> None:
        """As of any side; see there."""
        super().start_anew(topology)
        self._known = {each.queue for each in topology.queues}

    @property
    def is_late(self) -> bool:
        """Whether more time has passed than should have, but as a step: what lives for SHORT_MS may be over."""
        return time.monotonic() - self._began > LONGEST_SECONDS

    def observe(self, step: Step, expected: Observation, patience: float) -> Observation:
        """What a step has brought, once that is as expected, or has not been so for `patience` seconds.

        Most comes with the step's own answer or the round trip after it. The rest is asked for again and again: a
        queue is a process of its own, and a quorum queue moves on when its log does.
        """
        observation = Observation()
        self.read(observation, step)
        if self.has_no_wire():
            self.renew(observation)
        deadline = time.monotonic() + patience
        while True:
            observation.queues = self._ask_queues(expected)
            self.read(observation, step)
            if observation == expected or self.is_interleaved(observation, expected) or time.monotonic() > deadline:
                break
        self.renew(observation)
        if expected.is_slow:
            time.sleep(A_MOMENT)
        return observation

    def _ask_queues(self, expected: Observation) -> dict[str, tuple[int, int]]:
        """What the queues say that are expected, and those that were there before."""
        found = {}
        for called in sorted(self._known | set(expected.queues)):
            answer = self._ask(self.name_of(called))
            if answer is not None:
                found[called] = answer
        self._known = set(found) | set(expected.queues)
        return found
