"""README's table of what is supported, from the JUnit reports of the rules on real brokers and on fakeamqp.

python -m tests.rules_table --write README.md 3.10.xml 4.0.xml fakeamqp.xml
"""

from __future__ import annotations

import argparse
import ast
import difflib
import pathlib
import sys
import xml.etree.ElementTree as ET
from collections import Counter

BEGIN = "<!-- rules: begin -->"
END = "<!-- rules: end -->"
RULES = pathlib.Path(__file__).parent / "rules"


def passed(report: str) -> Counter[str]:
    """How many tests of each rules module passed; exits where one failed."""
    seen = set()  # a test that was run again is reported again
    for case in ET.parse(report).iter("testcase"):
        where = case.get("classname", "").split(".")
        if case.find("failure") is not None or case.find("error") is not None:
            sys.exit(f"{report}: {case.get('classname')}.{case.get('name')} failed; no table from failing rules")
        if where[:2] == ["tests", "rules"] and case.find("skipped") is None:
            seen.add((where[2], case.get("name")))
    return Counter(module for module, _ in seen)


def feature(module: pathlib.Path) -> str:
    """A rules module's feature: the first sentence of its docstring."""
    docstring = ast.get_docstring(ast.parse(module.read_text())) or module.stem
    return docstring.splitlines()[0].rstrip(".").replace("|", "\\|")


def table(reports: list[str]) -> str:
    """The Markdown table: a row for each feature, a column for each report."""
    counts = [passed(report) for report in reports]
    lines = ["| feature | on RabbitMQ 3.10.8 | on RabbitMQ 4.0.5 | on fakeamqp, as both |", "|---|---:|---:|---:|"]
    totals = [0] * len(counts)
    for module in sorted(RULES.glob("test_*.py")):
        row = [count[module.stem] for count in counts]
        totals = [total + each for total, each in zip(totals, row, strict=True)]
        lines.append(f"| {feature(module)} | {' | '.join(map(str, row))} |")
    lines.append(f"| **all rules** | {' | '.join(f'**{total}**' for total in totals)} |")
    return "\n".join(lines)


def main() -> None:
    """Check or write the table between the marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs=3, help="JUnit reports: RabbitMQ 3.10, RabbitMQ 4.0, fakeamqp")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--write", type=pathlib.Path, metavar="FILE")
    where.add_argument("--check", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    path = arguments.write or arguments.check
    before, rest = path.read_text().split(BEGIN)
    after = rest.split(END)[1]
    text = f"{before}{BEGIN}\n{table(arguments.reports)}\n{END}{after}"
    if arguments.write:
        path.write_text(text)
    elif text != path.read_text():
        difference = difflib.unified_diff(path.read_text().splitlines(), text.splitlines(), "written", "seen", n=0)
        print(*difference, sep="\n")
        sys.exit(f"{path}: the table is not what was seen; run python -m tests.rules_table --write {path} REPORTS")


if __name__ == "__main__":
    main()
