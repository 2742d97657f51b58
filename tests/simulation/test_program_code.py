"""Which frames are the program's: its own files, whatever their directory is called, and the demo's."""

from __future__ import annotations

import pika.adapters.blocking_connection
import pytest

import fakeamqp.broker
import fakeamqp.demo.orders
from fakeamqp.simulation.tasks.program_code import is_of_program


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("/home/me/pika/app.py", True),
        ("/home/me/fakeamqp/app.py", True),
        (fakeamqp.demo.orders.__file__, True),
        (fakeamqp.broker.__file__, False),
        (pika.adapters.blocking_connection.__file__, False),
    ],
    ids=["in a directory pika", "in a directory fakeamqp", "demo", "fakeamqp", "pika"],
)
def test_whose_code_it_is(filename: str, expected: bool) -> None:
    assert is_of_program(filename) is expected
