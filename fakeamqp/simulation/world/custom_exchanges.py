"""Exchange types of the user's own: from the function that a user writes to the one that a node asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.routing.registry import Matching
from fakeamqp.node.words.bindings import Binding
from fakeamqp.simulation.record.snapshots import BindingSnapshot, binding_snapshot, copied_properties
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.properties import BasicProperties

RoutingFunction: TypeAlias = Callable[[tuple[BindingSnapshot, ...], str, BasicProperties], Iterable[BindingSnapshot]]
"""What `exchange_types=` maps a name to; `fakeamqp.Broker` tells what it is given and must return."""


def matchings(functions: object) -> dict[str, Matching]:
    """What a node needs of `exchange_types=`. Raises Misuse unless that is a mapping of names to functions."""
    if not isinstance(functions, Mapping):
        raise Misuse(f"exchange_types= takes a mapping of names to functions, not {functions!r}")
    for name, function in functions.items():
        if not (isinstance(name, str) and name and callable(function)):
            raise Misuse(f"exchange_types= takes a mapping of names to functions, but it has {name!r}: {function!r}")
    return {name: _matching(name, function) for name, function in functions.items()}


def _matching(name: str, function: Callable[..., Any]) -> Matching:
    def match(bindings: list[Binding], routing_key: str, message: Message) -> list[Binding]:
        shown = tuple(binding_snapshot(binding) for binding in bindings)
        chosen = function(shown, routing_key, copied_properties(message.properties))
        if not isinstance(chosen, Iterable):
            raise _wrong_return(name, chosen)
        found: list[Binding] = []
        for each in chosen:
            if each not in shown:
                raise _wrong_return(name, each)
            found.append(bindings[shown.index(each)])
        return found

    return match


def _wrong_return(name: str, returned: object) -> Misuse:
    return Misuse(
        f"the function of exchange type {name!r} must return those of the bindings it was given that match, "
        f"in any iterable; it returned {returned!r}"
    )
