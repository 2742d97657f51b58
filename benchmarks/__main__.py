"""`python -m benchmarks`: measure, print one table, and fail if a target is missed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    direct,
    expiry,
    exploration,
    growth,
    layers,
    memory,
    pika_door,
    plot,
    policies,
    real,
    startup,
    topic,
    trace,
)
from benchmarks.timing import Figure, table

GROUPS = (
    "direct", "pika", "layers", "real", "topic", "growth", "policies", "expiry", "memory", "trace", "startup",
    "exploration",
)  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description="What fakeamqp costs, against its targets.")
    parser.add_argument("--rabbitmq", metavar="URL", help="AMQP URL of a real broker on this machine to compare with")
    parser.add_argument("--only", metavar="NAME", choices=GROUPS, action="append", help=f"one of {', '.join(GROUPS)}")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="where to draw cost against topic bindings, as SVG")
    return parser.parse_args()


def main() -> int:
    """Run the benchmarks; the exit status is 1 if a target is missed."""
    arguments = _arguments()
    pictures: dict[str, str] = {}

    def topic_figures() -> Iterator[Figure]:
        points = list(topic.curve())
        pictures["A publish to a topic exchange, and how many queues it reached"] = plot.as_text(points)
        if arguments.plot is not None:
            arguments.plot.write_text(plot.as_svg(points), encoding="utf-8")
        return topic.figures(points)

    def growth_figures() -> Iterator[Figure]:
        curves = list(growth.curves())
        pictures["What one step costs as there is more of everything"] = growth.as_text(curves)
        return growth.figures(curves)

    def layer_shares() -> Iterator[Figure]:
        pictures["Where the time goes, by a sampler"] = layers.as_text()
        return iter(())

    runs: dict[str, Callable[[], Iterator[Figure]]] = {
        "direct": direct.figures,
        "pika": pika_door.figures,
        "layers": layer_shares,
        "topic": topic_figures,
        "growth": growth_figures,
        "policies": policies.figures,
        "expiry": expiry.figures,
        "memory": memory.figures,
        "trace": trace.figures,
        "startup": startup.figures,
        "exploration": exploration.figures,
    }
    if arguments.rabbitmq is not None:
        runs["real"] = lambda: real.figures(arguments.rabbitmq)
    figures = [each for name in arguments.only or GROUPS if name in runs for each in runs[name]()]
    if figures:
        print(table(figures))
    for title, picture in pictures.items():
        print(f"\n{title}:\n{picture}")
    return 0 if all(each.is_met for each in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
