"""What one step brings: an observation, in which whatever the broker is free to choose is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pika.compat

from fakeamqp.spec import methods
from fakeamqp.spec.methods import Method
from tests.model.differential.steps import REPLY_ADDRESS, brief

REPLY = re.compile(r"amq\.rabbitmq\.reply-to\.[\w+/=.-]+")
"""An address of direct replies."""

Place = tuple[int, int]
"""Connection and channel number; channel 0 for the connection itself."""


@dataclass
class Observation:
    """What arrived, by place; what was confirmed; and what is in each queue: (ready messages, consumers).

    Confirms stand apart: RabbitMQ is free to send one for several messages, and at what moment.
    """

    arrived: dict[Place, list[str]] = field(default_factory=dict)
    confirmed: dict[Place, set[int]] = field(default_factory=dict)
    refused: dict[Place, set[int]] = field(default_factory=dict)
    queues: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_free: bool = field(default=False, compare=False)
    """Whether RabbitMQ may do this or something else; see `Side.may_choose`."""
    is_slow: bool = field(default=False, compare=False)
    """Whether RabbitMQ needs a moment, although it has answered; see `freedoms.is_slow`."""

    def lines(self) -> list[str]:
        """The observation as text, a line for each thing."""
        said = [f"{place} {line}" for place in sorted(self.arrived) for line in self.arrived[place]]
        for name, tags in (("confirmed", self.confirmed), ("refused", self.refused)):
            said += [f"{place} {name} {sorted(tags[place])}" for place in sorted(tags)]
        return [*said, *(f"{name!r}: {self.queues[name]}" for name in sorted(self.queues))]


class Observer:
    """Makes observations of what arrives, over the whole program: a confirm of several means those not yet told."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        """What the broker named, by what the program calls it."""
        self._told: dict[Place, int] = {}
        """Up to which publish of a channel everything is confirmed or refused by a confirm of several."""

    def forget(self, place: Place) -> None:
        """A channel starts anew."""
        self._told.pop(place, None)

    def add(self, observation: Observation, place: Place, method: Method) -> None:
        """Something has arrived."""
        if isinstance(method, methods.BasicAck | methods.BasicNack):
            told = observation.confirmed if isinstance(method, methods.BasicAck) else observation.refused
            first = method.delivery_tag
            if method.multiple:
                first = self._told.get(place, 0) + 1
                self._told[place] = method.delivery_tag
            known = observation.confirmed.get(place, set()) | observation.refused.get(place, set())
            tags = {tag for tag in range(first, method.delivery_tag + 1) if tag not in known}
            told.setdefault(place, set()).update(tags)
        else:
            observation.arrived.setdefault(place, []).append(self.text(method))

    def text(self, method: Method) -> str:
        """A method as text; the names that the broker gave are replaced by what the program calls them."""
        changes = {name: typed(getattr(method, name)) for name in type(method).__slots__}
        said = brief(method.replace(**changes))
        for address in REPLY.findall(said):
            if address not in self.names.values():
                self.names[f"{REPLY_ADDRESS}{sum(name[0] == REPLY_ADDRESS for name in self.names) + 1}"] = address
        for called, name in self.names.items():
            said = said.replace(name, called)
        return re.sub(r"amq\.gen-[\w-]{22}", "amq.gen-(refused)", said)


class _Typed(str):
    """Text that prints without quotes."""

    def __repr__(self) -> str:
        return str(self)


def typed(value: Any) -> Any:
    """A field value, such that what RabbitMQ tells apart prints apart, and times do not show."""
    if isinstance(value, pika.compat.long):
        return _Typed(f"long({int(value)})")
    if isinstance(value, dict):
        return {name: _Typed("(a time)") if name == "time" else typed(each) for name, each in value.items()}
    if isinstance(value, list):
        return [typed(each) for each in value]
    if isinstance(value, methods.Method) or not hasattr(type(value), "__slots__") or isinstance(value, int):
        return value
    return value.replace(headers=typed(value.headers)) if hasattr(value, "headers") else value
