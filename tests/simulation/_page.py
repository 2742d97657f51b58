"""A report, read as a browser would read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from fakeamqp import Broker
from fakeamqp.reporting.page import page

VOID = ("meta", "input", "br")


@dataclass
class Element:
    """An element with what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    own_text: str = ""

    @property
    def text(self) -> str:
        """All text in it, in the elements inside too."""
        return self.own_text + "".join(child.text for child in self.children)

    def all(self, tag: str, css_class: str = "", **attributes: str) -> list[Element]:
        """The elements inside of this tag, class and attributes (data_x for data-x), in order."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        found = []
        for child in self.children:
            classes = child.attributes.get("class", "").split()
            fits = all(child.attributes.get(name) == value for name, value in wanted.items())
            if child.tag == tag and fits and (not css_class or css_class in classes):
                found.append(child)
            found += child.all(tag, css_class, **attributes)
        return found


class Reader(HTMLParser):
    """Reads a page; raises AssertionError where elements are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> where <{self._open[-1].tag}> is open"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].own_text += data

    def close(self) -> None:
        super().close()
        assert len(self._open) == 1, f"<{self._open[-1].tag}> is not closed"


def read(html: str) -> Element:
    """A page's elements."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader.root


def read_report(broker: Broker, **options: Any) -> Element:
    """A broker's report."""
    return read(page(broker.simulation.world, **options))


def lanes(report: Element) -> list[str]:
    """The names of the lanes, from top to bottom, each with its kind."""
    names = [name for name in report.all("div", "name") if "axis" not in name.attributes["class"]]
    return [f"{name.attributes['class'].split()[1]} {name.attributes['title']}" for name in names]


def marks(report: Element) -> list[str]:
    """What the marks tell, from left to right."""
    return [mark.attributes["aria-label"] for mark in report.all("g", "mark")]


def bars(report: Element, state: str) -> list[str]:
    """What the bars of a state ("ready", "held", "with") tell."""
    found = [group for group in report.all("g") if group.all("rect", "bar") and "data-words" in group.attributes]
    return [group.attributes["data-words"] for group in found if group.all("rect", state)]
