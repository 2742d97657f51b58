"""The operator's commands. They are named as rabbitmqctl names them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from fakeamqp.node.operator import commands
from fakeamqp.node.operator.definition_shapes import can_be_written, texts_of
from fakeamqp.node.operator.definitions import import_definitions
from fakeamqp.node.operator.exporting import export_definitions
from fakeamqp.node.operator.importing import ImportReport
from fakeamqp.node.sessions import alarms
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.words.facts import PolicyFact
from fakeamqp.simulation.world.world import World
from fakeamqp.spec.errors import Misuse, UnsupportedDefinitions

Definitions: TypeAlias = "Mapping[str, Any] | str | os.PathLike[str]"


EVERYTHING = ".*"
"""The regular expression of who may do all."""
GUEST = "guest"
"""The user that exists always."""


class Operator:
    """What an operator does, as with rabbitmqctl."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.alarm_ends_us: int | None = None
        """When the memory alarm that a fault has raised ends; None for one that was raised by hand."""

    def add_vhosts_and_users(self, vhosts: Iterable[str], users: Mapping[str, str]) -> None:
        """What exists from the start, as `Broker` tells."""
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

    def add_vhost(self, name: str, default_queue_type: str | None = None) -> None:
        """A new virtual host. guest may do everything in it, as whoever makes one through RabbitMQ's HTTP API may.

        Queues that can be, and say nothing of their type, are of the default type: "classic", "quorum" or "stream".
        """
        self._operate("add_vhost", commands.add_vhost, name, default_queue_type)
        if GUEST in self._world.running_node("add_vhost").state.access.users:
            self.set_permissions(GUEST, EVERYTHING, EVERYTHING, EVERYTHING, vhost=name)

    def delete_vhost(self, name: str) -> None:
        """A virtual host goes, with all that is in it; its clients are disconnected (320)."""
        self._operate("delete_vhost", commands.delete_vhost, name)

    def add_user(self, name: str, password: str, tags: tuple[str, ...] = ()) -> None:
        """A new user, without permissions."""
        self._operate("add_user", commands.add_user, name, password, tags)

    def change_password(self, name: str, password: str) -> None:
        """A user's new password."""
        self._operate("change_password", commands.change_password, name, password)

    def set_user_tags(self, name: str, tags: tuple[str, ...]) -> None:
        """A user's tags, instead of those before."""
        self._operate("set_user_tags", commands.set_user_tags, name, tags)

    def delete_user(self, name: str) -> None:
        """A user goes, with all permissions and connections."""
        self._operate("delete_user", commands.delete_user, name)

    def set_permissions(self, user: str, configure: str, write: str, read: str, vhost: str = "/") -> None:
        """What a user may do in a virtual host: three regular expressions on names of queues and exchanges."""
        self._operate("set_permissions", commands.set_permissions, user, configure, write, read, vhost)

    def clear_permissions(self, user: str, vhost: str = "/") -> None:
        """A user may no longer enter a virtual host."""
        self._operate("clear_permissions", commands.clear_permissions, user, vhost)

    def set_topic_permissions(self, user: str, exchange: str, write: str, read: str, vhost: str = "/") -> None:
        """Which routing keys a user may publish (write) and bind (read) with on a topic exchange."""
        self._operate("set_topic_permissions", commands.set_topic_permissions, user, exchange, write, read, vhost)

    def close_connections(self, reason: str, vhost: str | None = None) -> None:
        """Disconnect every client, or those of one virtual host (320)."""
        self._operate("close_connections", commands.close_connections, reason, vhost)

    def trace_on(self, vhost: str = "/") -> None:
        """The firehose: copies of all that is published and delivered in a virtual host go to amq.rabbitmq.trace."""
        self._operate("trace_on", commands.set_tracing, vhost, True)

    def trace_off(self, vhost: str = "/") -> None:
        """No more copies to amq.rabbitmq.trace."""
        self._operate("trace_off", commands.set_tracing, vhost, False)

    def alarm(self, resource: str) -> None:
        """The node runs low on "memory" or "disk": it tells whoever publishes (connection.blocked), and reads no more.

        What such a connection sends waits until `clear_alarm`; deliveries and other connections go on.
        """
        if resource == "memory":
            self.alarm_ends_us = None
        self._operate("alarm", alarms.raise_alarm, resource)

    def clear_alarm(self, resource: str) -> None:
        """The node has enough of a resource again; with the last alarm, connections are unblocked."""
        node = self._world.running_node("clear_alarm")
        self._operate("clear_alarm", lambda state: node.clear_alarm(resource))

    def set_policy(
        self,
        name: str,
        pattern: str,
        definition: Mapping[str, Any],
        vhost: str = "/",
        apply_to: str = "all",
        priority: float = 0,
    ) -> None:
        """Govern the queues and exchanges whose names a regular expression is found in, from now on.

        - definition: as RabbitMQ takes it, such as {"max-length": 100, "message-ttl": 60000} (milliseconds)
        - apply_to: "all", "queues" or "exchanges"; as 4.0 also "classic_queues", "quorum_queues" or "streams"
        - priority: of the policies that match, the one of the highest priority alone counts

        Raises Misuse, a ValueError, with RabbitMQ's text for what RabbitMQ refuses.
        """
        policy = PolicyFact(vhost, name, pattern, _plain(definition), priority, apply_to)
        self._operate("set_policy", lambda node, *_: commands.set_policy(node, policy), name, policy)

    def clear_policy(self, name: str, vhost: str = "/") -> None:
        """A policy ends; the next that matches takes its place. Raises Misuse if there is none of this name."""
        self._operate("clear_policy", partial(commands.clear_policy, is_operator=False), name, vhost)

    def set_operator_policy(
        self,
        name: str,
        pattern: str,
        definition: Mapping[str, Any],
        vhost: str = "/",
        apply_to: str = "all",
        priority: float = 0,
    ) -> None:
        """As `set_policy`, beside the policy that applies; of both numbers the smaller one holds."""
        policy = PolicyFact(vhost, name, pattern, _plain(definition), priority, apply_to, is_operator=True)
        self._operate("set_operator_policy", lambda node, *_: commands.set_policy(node, policy), name, policy)

    def clear_operator_policy(self, name: str, vhost: str = "/") -> None:
        """An operator policy ends. Raises Misuse if there is none of this name."""
        self._operate("clear_operator_policy", partial(commands.clear_policy, is_operator=True), name, vhost)

    def set_vhost_limits(self, limits: Mapping[str, int], vhost: str = "/") -> None:
        """How many "max-connections" and "max-queues" a virtual host may have; instead of the limits before.

        What is there already stays; a negative limit is none. Raises Misuse for what RabbitMQ refuses.
        """
        self._operate("set_vhost_limits", commands.set_vhost_limits, _plain(limits), vhost)

    def clear_vhost_limits(self, vhost: str = "/") -> None:
        """A virtual host is limited no longer. Raises Misuse if it was not."""
        self._operate("clear_vhost_limits", commands.clear_vhost_limits, vhost)

    def set_user_limits(self, user: str, limits: Mapping[str, int]) -> None:
        """How many "max-connections" and "max-channels" a user may have, in all virtual hosts together.

        Limits that are not named stay; a negative one is none. Raises Misuse for what RabbitMQ refuses.
        """
        self._operate("set_user_limits", commands.set_user_limits, user, _plain(limits))

    def clear_user_limits(self, user: str, limit: str) -> None:
        """One of a user's limits, or "all", holds no longer."""
        self._operate("clear_user_limits", commands.clear_user_limits, user, limit)

    def import_definitions(self, definitions: Definitions, vhost: str | None = None) -> ImportReport:
        """Make what definitions say, as RabbitMQ's management plugin and rabbitmqctl export them.

        - definitions: the JSON object, or the path of a file that holds it
        - vhost: where to put definitions of a single virtual host

        What exists already stays as it is, but for users, permissions and policies, which are replaced. What
        fakeamqp cannot honour, such as shovels, is left out, named in the report's `unsupported` and in a warning,
        UnsupportedDefinitions; what RabbitMQ itself ignores is named in the report's `ignored`. Raises Misuse, a
        ValueError, for what RabbitMQ refuses; what was imported before that stays, as it does there.
        """
        reports: list[ImportReport] = []

        def command(state: NodeState, where: str | None) -> None:
            reports.append(import_definitions(state, _read(definitions), where))

        self._operate("import_definitions", command, vhost)
        (report,) = reports
        if report.unsupported:
            warnings.warn(
                f"fakeamqp has left out of the definitions: {'; '.join(report.unsupported)}",
                UnsupportedDefinitions,
                stacklevel=3,
            )
        return report

    def export_definitions(self, vhost: str | None = None) -> dict[str, Any]:
        """All that is needed to make this broker, or one virtual host, elsewhere, as RabbitMQ's JSON has it.

        Passwords are hashed; exclusive queues are left out. Raises Misuse if there is no such virtual host.
        """
        with self._world.lock:
            return export_definitions(self._world.running_node("export_definitions").state, vhost)

    def _operate(self, name: str, command: Callable[..., None], *arguments: Any) -> None:
        for argument in arguments:
            if isinstance(argument, str) and argument.isascii():
                continue  # as nearly all are
            for _, text in texts_of(argument, name):
                if not can_be_written(text):
                    raise Misuse(f"{name}: {text!r} is no text in UTF-8")
        world = self._world
        with world.lock:
            node = world.running_node(name)
            node.advance(world.clock.now_us)
            try:
                command(node.state, *arguments)
            finally:
                node.finish_turn()  # also of what an import made before it was refused
            world.note(f"operator: {name} {arguments[0]!r}" if arguments else f"operator: {name}")
            world.notify()


def _read(definitions: Definitions) -> Any:
    if not isinstance(definitions, str | os.PathLike):
        return definitions
    try:
        return json.loads(Path(definitions).read_text(encoding="utf-8"))
    except OSError as error:
        raise Misuse(f"definitions={os.fspath(definitions)!r} cannot be read: {error}") from None
    except ValueError as error:
        raise Misuse(f"{os.fspath(definitions)} holds no JSON: {error}") from None


def _plain(mapping: Any) -> Any:
    """A mapping as a dict, and whatever else it is as it is, for RabbitMQ to refuse."""
    return dict(mapping) if isinstance(mapping, Mapping) else mapping
