"""Arguments of exchanges, and what the arguments of all that is declared have in common."""

from __future__ import annotations

from fakeamqp.node.words.erlang import shown, term
from fakeamqp.spec.errors import SoftError, precondition_failed
from fakeamqp.spec.tables import Table, field_type

ALTERNATE_EXCHANGE = "alternate-exchange"
DELIVERY_COUNT = "x-delivery-count"


def parse_alternate_exchange(arguments: Table, exchange: str) -> str | None:
    """The name of an exchange's alternate exchange, if it has one; raises 406 where it is no string."""
    name = arguments.get(ALTERNATE_EXCHANGE)
    if ALTERNATE_EXCHANGE in arguments and not isinstance(name, str):
        raise precondition_failed(f"invalid type '{field_type(name)}' for arg '{ALTERNATE_EXCHANGE}' in {exchange}")
    return name


def assert_equivalent(existing: str, received: str, key: str, where: str) -> None:
    """Raise 406 unless a redeclaration says what the first declaration said; both as texts show them."""
    if existing != received:
        raise _inequivalent(existing, received, key, where)


def _inequivalent(existing: str, received: str, key: str, where: str) -> SoftError:
    return precondition_failed(f"inequivalent arg '{key}' for {where}: received {received} but current is {existing}")


def described(value: object) -> str:
    """A setting as a text about inequivalent arguments shows it."""
    return "none" if value is None else f"'{shown(term(value))}'"


def assert_equivalent_arguments(existing: Table, received: Table, key: str, where: str) -> None:
    """`assert_equivalent` for one argument: told by value where both have it, else with its type.

    Source: rabbit_misc.erl, assert_args_equivalence.
    """
    if key in existing and key in received:
        if term(existing[key]) != term(received[key]):
            raise _inequivalent(described(existing[key]), described(received[key]), key, where)
    else:
        assert_equivalent(_described_with_type(existing, key), _described_with_type(received, key), key, where)


def _described_with_type(arguments: Table, key: str) -> str:
    if key not in arguments:
        return "none"
    return f"the value '{shown(term(arguments[key]))}' of type '{field_type(arguments[key])}'"
