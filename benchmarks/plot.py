"""The cost of a publish to a topic exchange against its bindings: as text, and as an SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.timing import shown
from benchmarks.topic import Point

BAR_WIDTH = 40
WIDTH, HEIGHT, MARGIN = 640, 360, 60
LINES = (("new key", "#c0392b", "new_key_s"), ("repeated key", "#2980b9", "repeated_key_s"))


def as_text(points: Sequence[Point]) -> str:
    """One line for each number of bindings, with a bar for the cost of a new key."""
    highest_s = max(point.new_key_s for point in points)
    lines = [f"{'bindings':>8}  {'matches':>7}  {'new key':>8}  {'repeated':>8}"]
    for point in points:
        bar = "█" * round(BAR_WIDTH * point.new_key_s / highest_s)
        new, repeated = shown(point.new_key_s), shown(point.repeated_key_s)
        lines.append(f"{point.bindings:>8,}  {point.matches:>7.2f}  {new:>8}  {repeated:>8}  {bar}")
    return "\n".join(lines)


def as_svg(points: Sequence[Point]) -> str:
    """A line chart: bindings on a logarithmic axis, microseconds from 0 on a linear one."""
    top_us = max(point.new_key_s for point in points) * 1.1e6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{MARGIN},{MARGIN} V{HEIGHT - MARGIN} H{WIDTH - MARGIN}" fill="none" stroke="black"/>',
        _label(WIDTH / 2, 30, "A publish to a topic exchange, µs"),
        _label(WIDTH / 2, HEIGHT - 15, "bindings"),
        _label(MARGIN - 25, MARGIN + 5, f"{top_us:.0f}"),
        _label(MARGIN - 25, HEIGHT - MARGIN, "0"),
    ]
    places = [_across(point, points) for point in points]
    parts += [_label(x, HEIGHT - MARGIN + 20, f"{point.bindings:,}") for x, point in zip(places, points, strict=True)]
    for name, colour, field in LINES:
        heights = [_up(getattr(point, field) * 1e6 / top_us) for point in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(places, heights, strict=True))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_label(places[-1] - 40, heights[-1] - 8, name, colour))
    return "\n".join([*parts, "</svg>\n"])


def _across(point: Point, points: Sequence[Point]) -> float:
    first, last = math.log(points[0].bindings), math.log(points[-1].bindings)
    return MARGIN + (WIDTH - 2 * MARGIN) * (math.log(point.bindings) - first) / (last - first)


def _up(part: float) -> float:
    return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * part


def _label(x: float, y: float, text: str, colour: str = "black") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="14" text-anchor="middle" fill="{colour}">{text}</text>'
