"""--amqp-report: each failed test leaves a page behind."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import fakeamqp.clients.redirection
import fakeamqp.reporting.page  # noqa: F401 pytester forgets what is imported inside its runs

TESTS = """
    import pytest

    @pytest.mark.parametrize("name", ["a/b", "a:b", "long" * 100])
    def test_fails(amqp_channel, name):
        amqp_channel.queue_declare("orders")
        assert not name

    def test_passes(amqp_channel):
        pass

    def test_without_a_broker():
        assert 0
"""


def test_each_failed_test_with_a_broker_writes_its_report_and_names_the_file(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("--amqp-report=made/here")
    result.assert_outcomes(failed=4, passed=1)
    pages = list((pytester.path / "made" / "here").iterdir())
    assert len(pages) == 3
    assert {page.suffix for page in pages} == {".html"}
    named = [line for line in result.outlines if line.endswith(".html")]
    assert sorted(map(Path, named)) == sorted(page.relative_to(pytester.path) for page in pages)
    assert sum("test_fails[a/b]</h1>" in page.read_text(encoding="utf-8") for page in pages) == 1


def test_without_the_option_nothing_is_written(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest()
    result.assert_outcomes(failed=4, passed=1)
    assert not list(pytester.path.rglob("*.html"))
    result.stdout.no_fnmatch_line("*fakeamqp's report*")


def test_the_example_of_the_document_writes_its_page(pytester: pytest.Pytester) -> None:
    document = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    pytester.makepyfile(example)
    pytester.runpytest().assert_outcomes(passed=1)
    assert "<h1>Orders</h1>" in (pytester.path / "orders.html").read_text(encoding="utf-8")


def test_without_jinja_the_option_says_what_to_install(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(TESTS)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "jinja2" else find_spec(name, *more)
    )
    result = pytester.runpytest("--amqp-report=made")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--amqp-report needs Jinja2: pip install 'fakeamqp[[]report[]]'*"])
