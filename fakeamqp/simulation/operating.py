"""The operator's commands on what governs a broker: policies and limits. They are named as rabbitmqctl names them."""

from __future__ import annotations

import json
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from fakeamqp.node import operator
from fakeamqp.node.definition_export import export_definitions
from fakeamqp.node.definitions import import_definitions
from fakeamqp.node.facts import PolicyFact
from fakeamqp.node.importing import ImportReport
from fakeamqp.node.node import Node
from fakeamqp.spec.errors import Misuse, UnsupportedDefinitions

Definitions: TypeAlias = "Mapping[str, Any] | str | os.PathLike[str]"


class OperatorCommands:
    """A part of the broker that a user holds."""

    if TYPE_CHECKING:
        lock: threading.RLock

        def _operate(self, name: str, command: Callable[..., None], *arguments: Any) -> None: ...

        def _running_node(self, purpose: str) -> Node: ...

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
        self._operate("set_policy", lambda node, _: operator.set_policy(node, policy), name)

    def clear_policy(self, name: str, vhost: str = "/") -> None:
        """A policy ends; the next that matches takes its place. Raises Misuse if there is none of this name."""
        self._operate("clear_policy", partial(operator.clear_policy, is_operator=False), name, vhost)

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
        self._operate("set_operator_policy", lambda node, _: operator.set_policy(node, policy), name)

    def clear_operator_policy(self, name: str, vhost: str = "/") -> None:
        """An operator policy ends. Raises Misuse if there is none of this name."""
        self._operate("clear_operator_policy", partial(operator.clear_policy, is_operator=True), name, vhost)

    def set_vhost_limits(self, limits: Mapping[str, int], vhost: str = "/") -> None:
        """How many "max-connections" and "max-queues" a virtual host may have; instead of the limits before.

        What is there already stays; a negative limit is none. Raises Misuse for what RabbitMQ refuses.
        """
        self._operate("set_vhost_limits", operator.set_vhost_limits, _plain(limits), vhost)

    def clear_vhost_limits(self, vhost: str = "/") -> None:
        """A virtual host is limited no longer. Raises Misuse if it was not."""
        self._operate("clear_vhost_limits", operator.clear_vhost_limits, vhost)

    def set_user_limits(self, user: str, limits: Mapping[str, int]) -> None:
        """How many "max-connections" and "max-channels" a user may have, in all virtual hosts together.

        Limits that are not named stay; a negative one is none. Raises Misuse for what RabbitMQ refuses.
        """
        self._operate("set_user_limits", operator.set_user_limits, user, _plain(limits))

    def clear_user_limits(self, user: str, limit: str) -> None:
        """One of a user's limits, or "all", holds no longer."""
        self._operate("clear_user_limits", operator.clear_user_limits, user, limit)

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

        def command(node: Node, where: str | None) -> None:
            try:
                reports.append(import_definitions(node, _read(definitions), where))
            finally:
                node.finish_turn()

        self._operate("import_definitions", command, vhost)
        (report,) = reports
        if report.unsupported:
            warnings.warn(
                f"fakeamqp has left out of the definitions: {'; '.join(report.unsupported)}",
                UnsupportedDefinitions,
                stacklevel=2,
            )
        return report

    def export_definitions(self, vhost: str | None = None) -> dict[str, Any]:
        """All that is needed to make this broker, or one virtual host, elsewhere, as RabbitMQ's JSON has it.

        Passwords are hashed; exclusive queues are left out. Raises Misuse if there is no such virtual host.
        """
        with self.lock:
            return export_definitions(self._running_node("export_definitions"), vhost)


def _read(definitions: Definitions) -> Any:
    if not isinstance(definitions, str | os.PathLike):
        return definitions
    try:
        return json.loads(Path(definitions).read_text(encoding="utf-8"))
    except ValueError as error:
        raise Misuse(f"{os.fspath(definitions)} holds no JSON: {error}") from None


def _plain(mapping: Any) -> Any:
    """A mapping as a dict, and whatever else it is as it is, for RabbitMQ to refuse."""
    return dict(mapping) if isinstance(mapping, Mapping) else mapping
