"""Why a binding leads a message on, or does not, in words. What it does is the node's to say; here it is only told."""

from __future__ import annotations

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.routing.delayed_exchange import DELAYED_MESSAGE, DELAYED_TYPE
from fakeamqp.node.routing.exchange_types import HEADERS_MATCHES, header_matches
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.routing.topic import split, topic_matches
from fakeamqp.node.words.bindings import Binding
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.tables import EMPTY_TABLE

CHANCE_TYPES = ("x-random", "x-local-random")


def exchange_type(exchange: Exchange) -> str:
    """The type that routes, of x-delayed-message the one behind it."""
    kind = exchange.fact.type
    return str(exchange.fact.arguments[DELAYED_TYPE]) if kind == DELAYED_MESSAGE else kind


def reason(exchange: Exchange, binding: Binding, message: Message, leads: bool | None, profile: Profile) -> str:
    """Why a binding leads a message on or not, given that it does, does not, or that this is open."""
    kind = exchange_type(exchange)
    if kind in ("direct", "topic"):
        tell = _direct if kind == "direct" else _topic
        return "; ".join(tell(binding.routing_key, key) for key in message.routing_keys)
    if kind == "headers":
        return _headers(binding, message, profile)
    if kind in ("fanout", "x-recent-history"):
        return f"an exchange of type {kind} passes every message on"
    if kind in CHANCE_TYPES:
        return f"chance chooses one of {len(exchange.bindings)} bindings"
    if leads is None:
        return f"the function of exchange type {kind!r} decides, which is asked for real messages only"
    return f"the hash of the message chooses {'it' if leads else 'another destination'}"


def _direct(binding_key: str, key: str) -> str:
    return f"the routing key {key!r} is {'' if key == binding_key else 'not '}the binding key {binding_key!r}"


def _topic(pattern: str, key: str) -> str:
    return f"{key!r} matches {pattern!r}" if topic_matches(pattern, key) else topic_difference(pattern, key)


def topic_difference(pattern: str, key: str) -> str:
    """Which word it is that keeps a key from matching a pattern."""
    wanted, words = split(pattern), split(key)
    first = wanted.index("#") if "#" in wanted else len(wanted)
    for place, (asked, word) in enumerate(zip(wanted[:first], words, strict=False), 1):
        if asked not in ("*", word):
            return f"word {place} of {key!r} is {word!r}, where {pattern!r} has {asked!r}"
    if first == len(wanted):
        return f"{key!r} has {_words(len(words))}, {pattern!r} asks for {len(wanted)}"
    least = sum(asked != "#" for asked in wanted)
    if len(words) < least:
        return f"{key!r} has {_words(len(words))}, {pattern!r} asks for at least {least}"
    last = wanted[::-1].index("#")
    for place, (asked, word) in enumerate(zip(wanted[::-1][:last], words[::-1], strict=False), 1):
        if asked not in ("*", word):
            from_end = "the last word" if place == 1 else f"word {place} from the end"
            return f"{from_end} of {key!r} is {word!r}, where {pattern!r} has {asked!r}"
    return f"nothing in {key!r} is what stands between the # of {pattern!r}"


def _words(count: int) -> str:
    return f"{count} word{'' if count == 1 else 's'}"


def _headers(binding: Binding, message: Message, profile: Profile) -> str:
    arguments = binding.arguments
    mode = arguments.get("x-match", "all")
    _, counts_x = HEADERS_MATCHES[mode]
    headers = message.properties.headers or EMPTY_TABLE
    told = []
    for name, wanted in arguments.items():
        if name == "x-match":
            continue
        if name.startswith("x-") and not counts_x:
            told.append(f"{name!r} does not count, as with x-match={mode} no name that begins with x- does")
        elif header_matches(name, wanted, headers, profile):
            told.append(f"header {name!r} is {'there' if wanted is None else repr(headers[name])}, as asked")
        elif name not in headers:
            told.append(f"header {name!r} is missing")
        else:
            told.append(f"header {name!r} is {headers[name]!r}, not {wanted!r}")
    return f"x-match={mode}: {'; '.join(told) or 'the binding asks for no header'}"
