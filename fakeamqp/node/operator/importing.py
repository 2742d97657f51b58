"""One import of definitions under way: where it goes, and what it has to report."""

from __future__ import annotations

from typing import Any

from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.bindings import Destination
from fakeamqp.spec.errors import REPLY_NAMES, AMQPError, Misuse
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import LongLong, Table


class ImportReport(Record, frozen=True):
    """What an import of definitions has left out, one line each."""

    unsupported: tuple[str, ...]
    """What RabbitMQ would honour, with the plugins that it is for, and fakeamqp cannot."""
    ignored: tuple[str, ...]
    """What RabbitMQ leaves out without a word: unknown keys, reserved names, what cannot be made."""


class Import:
    """One import under way."""

    def __init__(self, state: NodeState, vhost: str | None) -> None:
        self.state = state
        self.unsupported: list[str] = []
        self.ignored: list[str] = []
        self.missing: dict[tuple[str, Destination], None] = {}
        """Exchanges that were left out as unsupported: their bindings are, too."""
        self._vhost = vhost

    def vhost_of(self, entry: dict[str, Any]) -> VirtualHost:
        """The virtual host that an entry belongs to."""
        name = entry.get("vhost") if self._vhost is None else self._vhost
        if name is None:
            raise Misuse(f"virtual host does not exist and is not specified in definitions: {entry!r}")
        found = self.state.vhosts.get(name)
        if found is None:
            raise Misuse(f'Please create virtual host "{name}" prior to importing definitions.')
        return found

    def report(self) -> ImportReport:
        """What was left out."""
        return ImportReport(tuple(self.unsupported), tuple(self.ignored))


def text(entry: dict[str, Any], key: str) -> str:
    """A name or pattern of an entry."""
    found = entry.get(key)
    if not isinstance(found, str):
        raise Misuse(f"badarg: {key!r} is a string, not {found!r}, in {entry!r}")
    return found


def flag(entry: dict[str, Any], key: str, default: bool) -> bool:
    """A yes or no of an entry."""
    found = entry.get(key, default)
    if not isinstance(found, bool):
        raise Misuse(f"badarg: {key!r} is true or false, not {found!r}, in {entry!r}")
    return found


def arguments_of(entry: dict[str, Any]) -> Table:
    """An entry's arguments as a table: JSON's integers are 64-bit ones (rabbit_misc.erl, to_amqp_table)."""
    found = entry.get("arguments") or {}
    if not isinstance(found, dict):
        raise Misuse(f"badarg: 'arguments' are an object, not {found!r}, in {entry!r}")
    return {key: _field(value) for key, value in found.items()}


def _field(value: Any) -> Any:
    if value is None:
        raise Misuse("null_not_allowed: no argument may be null")
    if isinstance(value, list):
        return [_field(each) for each in value]
    if isinstance(value, dict):
        return {key: _field(each) for key, each in value.items()}
    return LongLong(value) if isinstance(value, int) and not isinstance(value, bool) else value


def refusal(error: AMQPError) -> Misuse:
    """What would have closed a client's channel, as the answer to an import."""
    return Misuse(f"{REPLY_NAMES[error.code].lower()}: {error.explanation}")
