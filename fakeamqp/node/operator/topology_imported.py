"""Exchanges, queues and bindings in definitions."""

from __future__ import annotations

from typing import Any

from fakeamqp.node.metadata.commit import commit
from fakeamqp.node.metadata.lease import renew_lease
from fakeamqp.node.metadata.limits import MAX_QUEUES, assert_room_for_queue, vhost_limits
from fakeamqp.node.operator.importing import Import, arguments_of, flag, refusal, text
from fakeamqp.node.queues.declaring import check_arguments
from fakeamqp.node.queues.queue_arguments import check_queue_arguments
from fakeamqp.node.sessions.queue_methods import may_have_type, with_default_type
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words import erlang
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import BindingFact, ExchangeFact, QueueFact
from fakeamqp.node.words.names import exchange_named, queue_named
from fakeamqp.node.words.parameters import limit
from fakeamqp.spec.errors import AMQPError, Misuse, SoftError, UnsupportedFeature
from fakeamqp.spec.tables import Table


def check_room(run: Import, queues: list[dict[str, Any]]) -> None:
    """Raise Misuse where a virtual host may not have as many queues as it would."""
    new: dict[str, int] = {}
    for entry in queues:
        vhost = run.vhost_of(entry)
        if entry.get("name") not in vhost.queues:
            new[vhost.name] = new.get(vhost.name, 0) + 1
    for name, count in new.items():
        vhost = run.state.vhosts[name]
        most = limit(vhost_limits(vhost), MAX_QUEUES)
        if most is not None and len(vhost.queues) + count > most:
            raise Misuse(
                f'Adding {count} queue(s) to virtual host "{name}" would exceed the limit of {most} queue(s).\n\n'
                f"This virtual host currently has {len(vhost.queues)} queue(s) defined.\n\nImport aborted!"
            )


def import_exchange(run: Import, entry: dict[str, Any]) -> None:
    """An exchange, unless there is one of its name."""
    vhost = run.vhost_of(entry)
    name = text(entry, "name")
    where = exchange_named(name, vhost.name)
    if not name or name.startswith("amq."):
        run.ignored.append(f"{where}: the name is reserved")
        return
    if name in vhost.exchanges:
        return
    kind = entry.get("type", "undefined")
    fact = ExchangeFact(
        vhost.name,
        name,
        kind,
        flag(entry, "durable", True),
        flag(entry, "auto_delete", False),
        flag(entry, "internal", False),
        arguments_of(entry),
    )
    try:
        run.state.exchange_types.find(kind).check_arguments(fact.arguments)
    except UnsupportedFeature as error:
        run.unsupported.append(f"{where}: {error}")
        run.missing[vhost.name, Destination("exchange", name)] = None
    except AMQPError as error:
        raise refusal(error) from None
    else:
        commit(run.state, fact)


def import_queue(run: Import, entry: dict[str, Any]) -> None:
    """A queue, unless there is one of its name."""
    vhost = run.vhost_of(entry)
    name = text(entry, "name")
    where = queue_named(name, vhost.name)
    if name.startswith("amq."):
        run.ignored.append(f"{where}: the name is reserved")
        return
    if name in vhost.queues:
        return
    durable, auto_delete = flag(entry, "durable", True), flag(entry, "auto_delete", False)
    arguments = _with_type(run, vhost, arguments_of(entry), durable=durable, auto_delete=auto_delete)
    try:
        check_queue_arguments(arguments, run.state.profile, where)
    except AMQPError as error:
        raise refusal(error) from None
    fact = QueueFact(vhost.name, name, durable, None, auto_delete, arguments)
    try:
        check_arguments(fact, run.state.profile)
        if not run.state.profile.checks_room_for_queue_first:
            assert_room_for_queue(vhost, name)  # a limit may have been imported just now
    except SoftError as error:
        run.ignored.append(f"{where}: {error.explanation}")
    else:
        commit(run.state, fact)
        renew_lease(run.state, vhost.queues[name])


def _with_type(run: Import, vhost: VirtualHost, arguments: Table, *, durable: bool, auto_delete: bool) -> Table:
    takes_default = run.state.profile.imports_default_queue_type
    if takes_default and may_have_type(vhost, durable=durable, exclusive=False, auto_delete=auto_delete):
        return with_default_type(vhost, arguments)
    return arguments


def import_binding(run: Import, entry: dict[str, Any]) -> None:
    """A binding."""
    vhost = run.vhost_of(entry)
    source = Destination("exchange", text(entry, "source"))
    destination = Destination(text(entry, "destination_type"), text(entry, "destination"))
    # RabbitMQ takes a key that is not there for the atom undefined, and so do messages that carry this word.
    binding = Binding(source.name, destination, entry.get("routing_key", "undefined"), arguments_of(entry))
    where = f"binding of {destination.kind} '{destination.name}' to {exchange_named(source.name, vhost.name)}"
    wrong = None if not source.name else _wrong_with(run, vhost, source, binding)
    if any((vhost.name, end) in run.missing for end in (source, destination)):
        run.unsupported.append(where)
    elif wrong is not None and run.state.profile.refuses_bad_bindings_in_imports:
        raise Misuse(wrong)
    elif wrong is not None or not source.name:
        run.ignored.append(f"{where}: {wrong or 'every queue has it'}")
    elif not vhost.has_binding(binding):
        commit(run.state, BindingFact(vhost.name, binding))


def _wrong_with(run: Import, vhost: VirtualHost, source: Destination, binding: Binding) -> str | None:
    missing = [end for end in (source, binding.destination) if not vhost.has(end)]
    if missing:
        where = erlang.json(vhost.name)
        told = [f"{{not_found,{{resource,{where},{end.kind},{erlang.json(end.name)}}}}}" for end in missing]
        return f"{{resources_missing,[{','.join(told)}]}}"
    exchange = vhost.exchanges[source.name].fact
    check_binding = run.state.exchange_types.find(exchange.type).check_binding
    try:
        check_binding(exchange, binding, vhost.kind_of(binding.destination))
    except SoftError as error:
        return f"binding_invalid: {error.explanation}"
    return None
