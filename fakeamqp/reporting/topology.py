"""The topology as a picture: publishers, exchanges, queues and consumers in columns, bindings as lines with keys.

Each line ends at a place of its own at the left of a box, and its label stands before that, so that no two overlap.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from fakeamqp.reporting.journeys import Place
from fakeamqp.reporting.run import Run
from fakeamqp.simulation.record.snapshots import BindingSnapshot, ConsumerSnapshot, QueueSnapshot, VirtualHostSnapshot
from fakeamqp.spec.methods import BasicConsume, BasicConsumeOk

BoxKey: TypeAlias = "tuple[str, str]"
LINE, PAD, PORT, BETWEEN = 17.0, 8.0, 20.0, 16.0
WIDTHS = {"publisher": 130.0, "exchange": 165.0, "queue": 225.0, "consumer": 180.0}
BEFORE = {"publisher": 0.0, "exchange": 85.0, "queue": 175.0, "consumer": 45.0}
"""Room for lines and their labels before a column, pixels; between exchanges as before queues."""
LONGEST = {"exchange": 26, "queue": 26, "publisher": 12, "consumer": 12}
"""Characters that fit into that room."""


@dataclass
class Box:
    """A publisher, an exchange, a queue or a consumer; `notes` are its further lines."""

    kind: str
    name: str
    notes: list[str] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0
    ports: int = 0
    """How many lines end here."""

    @property
    def width(self) -> float:
        """As its kind has it."""
        return WIDTHS[self.kind]

    @property
    def height(self) -> float:
        """Enough for its text and its lines."""
        return max((1 + len(self.notes)) * LINE, self.ports * PORT) + 2 * PAD


@dataclass
class Line:
    """A line between boxes."""

    source: BoxKey
    target: BoxKey
    full_label: str
    port: int = 0
    path: str = ""
    label: str = ""
    label_x: float = 0.0
    label_y: float = 0.0


class Topology:
    """One virtual host's picture."""

    def __init__(self, run: Run, vhost: VirtualHostSnapshot) -> None:
        self.vhost = vhost.name
        self.boxes: dict[BoxKey, Box] = {}
        self.lines: list[Line] = []
        self.width = self.height = 0.0
        published = _publications(run, vhost.name)
        self._add_exchanges(vhost, {exchange for _, exchange in published})
        self._add_bindings(vhost.bindings)
        self._add_publishers(published)
        self._add_queues(vhost, _subscribers(run))
        self._add_default_bindings(run, vhost)
        self._arrange()

    def _add_exchanges(self, vhost: VirtualHostSnapshot, used: set[str]) -> None:
        bound = {binding.source for binding in vhost.bindings}
        bound |= {binding.destination for binding in vhost.bindings if binding.destination_kind == "exchange"}
        for name, exchange in vhost.exchanges.items():
            if name in used or name in bound or not (name == "" or name.startswith("amq.")):
                traits = _traits(exchange, "durable", "auto_delete", "internal") if name else []
                notes = ["routes by queue name"] if not name else [", ".join([exchange.type, *traits])]
                self.boxes["exchange", name] = Box("exchange", name or "default exchange", notes)

    def _add_queues(self, vhost: VirtualHostSnapshot, subscribers: dict[str, set[str]]) -> None:
        sources = [key for key in self.boxes if key[0] == "exchange"]

        def rank(queue: QueueSnapshot) -> float:
            bound = [sources.index(line.source) for line in self.lines if line.target == ("queue", queue.name)]
            return sum(bound) / len(bound) if bound else len(sources)

        for queue in sorted(vhost.queues.values(), key=rank):
            self.boxes["queue", queue.name] = Box("queue", queue.name, _notes(queue))
        for queue in sorted(vhost.queues.values(), key=rank):
            for number, consumer in enumerate(queue.consumers):
                key = ("consumer", f"{queue.name}\0{number}")
                whose = subscribers.get(consumer.tag, set())
                owner = [f"of {each}" for each in whose] if len(whose) == 1 else []
                self.boxes[key] = Box("consumer", consumer.tag, [*owner, _holds(consumer)])
                self.lines.append(Line(("queue", queue.name), key, ""))

    def _add_bindings(self, bindings: tuple[BindingSnapshot, ...]) -> None:
        for binding in bindings:
            label = binding.routing_key
            if binding.arguments:
                label += " " + ", ".join(f"{name}={value!r}" for name, value in binding.arguments.items())
            self.lines.append(
                Line(("exchange", binding.source), (binding.destination_kind, binding.destination), label)
            )

    def _add_publishers(self, published: Counter[tuple[str, str]]) -> None:
        order = list(self.boxes)
        known = [(pair, count) for pair, count in published.items() if ("exchange", pair[1]) in self.boxes]
        for (publisher, exchange), count in sorted(known, key=lambda each: order.index(("exchange", each[0][1]))):
            self.boxes.setdefault(("publisher", publisher), Box("publisher", publisher))
            self.lines.append(Line(("publisher", publisher), ("exchange", exchange), f"{count} sent"))

    def _add_default_bindings(self, run: Run, vhost: VirtualHostSnapshot) -> None:
        """The default exchange leads to every queue; lines are drawn to those that it was used for."""
        used = {each.routing_key for each in run.journeys.all if each.exchange == Place(vhost.name, "")}
        for name in vhost.queues:
            if name in used and ("exchange", "") in self.boxes:
                self.lines.append(Line(("exchange", ""), ("queue", name), name))

    # -- where everything stands --------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        columns = self._columns()
        for line in self.lines:
            self.boxes[line.target].ports += 1
        heights = [sum(box.height + BETWEEN for box in column) - BETWEEN for column in columns]
        tallest = max(heights, default=0.0)
        x = 1.0
        for column, height in zip(columns, heights, strict=True):
            is_first = x == 1.0
            kind = column[0].kind
            follows_exchange = (
                kind == "exchange" and not is_first and columns[columns.index(column) - 1][0].kind == kind
            )
            x += 0.0 if is_first else BEFORE["queue" if follows_exchange else kind]
            y = 1.0 + (tallest - height) / 2
            for box in column:
                box.x, box.y = x, y
                y += box.height + BETWEEN
            x += WIDTHS[kind]
        self.width, self.height = x + 1, tallest + 2
        taken: Counter[BoxKey] = Counter()
        for line in sorted(self.lines, key=lambda line: self.boxes[line.source].y):
            line.port = taken[line.target]
            taken[line.target] += 1
            self._lay(line)

    def _columns(self) -> list[list[Box]]:
        depths = self._depths()
        ranks = sorted(set(depths.values()))
        columns = [[box for key, box in self.boxes.items() if key[0] == "publisher"]]
        columns += [[self.boxes[key] for key, depth in depths.items() if depth == rank] for rank in ranks]
        columns += [[box for key, box in self.boxes.items() if key[0] == kind] for kind in ("queue", "consumer")]
        return [column for column in columns if column]

    def _depths(self) -> dict[BoxKey, int]:
        """How far each exchange stands from the left; bindings that go round in a circle do not move it for ever."""
        depths = {key: 0 for key in self.boxes if key[0] == "exchange"}
        between = [line for line in self.lines if line.source in depths and line.target in depths]
        for _ in depths:
            for line in between:
                if depths[line.source] + 1 < len(depths):
                    depths[line.target] = max(depths[line.target], depths[line.source] + 1)
        return depths

    def _lay(self, line: Line) -> None:
        source, target = self.boxes[line.source], self.boxes[line.target]
        x, y = source.x + source.width, source.y + source.height / 2
        end_x, end_y = target.x, target.y + PAD + PORT * (line.port + 0.5)
        if target.ports * PORT < target.height - 2 * PAD:  # fewer lines than there is room for: in the middle
            end_y = target.y + target.height / 2 + PORT * (line.port - (target.ports - 1) / 2)
        bend = min(60.0, max(end_x - x, 0.0) * 0.4) or 40.0
        line.path = (
            f"M{x:g} {y:g}C{x + bend / 2:g} {y:g} {x + bend / 2:g} {end_y:g} {x + bend:g} {end_y:g}"
            f"H{end_x - 1:g}m-6 -4l6 4l-6 4"
        )
        longest = LONGEST[target.kind] if source.kind != "exchange" else LONGEST["queue"] - 6
        label = line.full_label
        line.label = label if len(label) <= longest else f"{label[: longest - 1]}…"
        line.label_x, line.label_y = end_x - 12, end_y - 5


def topologies(run: Run) -> list[Topology]:
    """A picture for each virtual host in which there is something."""
    found = [Topology(run, vhost) for vhost in run.vhosts]
    return [each for each in found if any(kind != "exchange" or name for kind, name in each.boxes)]


def _publications(run: Run, vhost: str) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for journey in run.journeys.all:
        if journey.published is not None and journey.exchange.vhost == vhost:
            found[run.subject(journey.published), journey.exchange.name] += 1
    return found


def _subscribers(run: Run) -> dict[str, set[str]]:
    """By consumer tag: who has ever consumed with it."""
    found: dict[str, set[str]] = {}
    for index, event in enumerate(run.events):
        if isinstance(event.method, BasicConsume | BasicConsumeOk):
            found.setdefault(event.method.consumer_tag, set()).add(run.subject(index))
    return found


def _traits(thing: object, *names: str) -> list[str]:
    return [name.replace("_", "-") for name in names if getattr(thing, name)]


def _notes(queue: QueueSnapshot) -> list[str]:
    notes = [
        f"{len(queue.messages)} ready, {len(queue.unacked)} unacknowledged",
        ", ".join([queue.type, *_traits(queue, "durable", "exclusive", "auto_delete")]),
    ]
    target = queue.settings.get("dead-letter-exchange")
    if target is not None:
        notes.append(f"dead letters → {target or queue.settings.get('dead-letter-routing-key') or 'default exchange'}")
    return notes


def _holds(consumer: ConsumerSnapshot) -> str:
    most = f" of at most {consumer.prefetch_count}" if consumer.prefetch_count else ""
    return f"holds {consumer.unacked}{most}"
