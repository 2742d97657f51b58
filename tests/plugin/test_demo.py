"""python -m fakeamqp.demo: what it shows, and what it says where something is missing."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

WITHOUT_GREENLET = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "greenlet" else find(name, *more)
from fakeamqp.demo.__main__ import main
sys.exit(main())
"""


def run(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=directory, timeout=120, check=False
    )


def test_the_demo_finds_its_bug_and_its_line_replays_it_from_anywhere(tmp_path: Path) -> None:
    shown = run("-m", "fakeamqp.demo", directory=tmp_path)
    assert shown.returncode == 0, shown.stderr
    line = re.search(r"Replay it: pytest (.*)", shown.stdout)
    assert line
    again = run("-m", "pytest", "-p", "no:cacheprovider", *shlex.split(line[1]), directory=tmp_path)
    assert again.returncode == 1
    assert "Found in the run that was replayed" in again.stdout


def test_the_demo_says_what_to_install(tmp_path: Path) -> None:
    shown = run("-c", WITHOUT_GREENLET, directory=tmp_path)
    assert shown.returncode == 1
    assert "The demo needs greenlet: pip install 'fakeamqp[pytest,simulation]'" in shown.stderr


def test_explore_says_what_to_install(tmp_path: Path) -> None:
    shown = run(
        "-c", "import sys; sys.modules['greenlet'] = None; import fakeamqp; fakeamqp.explore", directory=tmp_path
    )
    assert "fakeamqp.explore needs greenlets: pip install 'fakeamqp[simulation]'" in shown.stderr
