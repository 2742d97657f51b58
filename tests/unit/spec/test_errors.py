"""Errors: RabbitMQ's reply codes and texts, and who is closed by them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fakeamqp.spec import errors
from fakeamqp.spec.errors import AMQPError, HardError, Misuse, SoftError, UnsupportedFeature


@pytest.mark.parametrize(
    ("make", "kind", "code", "text"),
    [
        (errors.not_found, SoftError, 404, "NOT_FOUND - why"),
        (errors.access_refused, SoftError, 403, "ACCESS_REFUSED - why"),
        (errors.resource_locked, SoftError, 405, "RESOURCE_LOCKED - why"),
        (errors.precondition_failed, SoftError, 406, "PRECONDITION_FAILED - why"),
        (errors.not_allowed, HardError, 530, "NOT_ALLOWED - why"),
        (errors.not_implemented, HardError, 540, "NOT_IMPLEMENTED - why"),
        (errors.command_invalid, HardError, 503, "COMMAND_INVALID - why"),
        (errors.channel_error, HardError, 504, "CHANNEL_ERROR - why"),
    ],
)
def test_an_error_has_a_code_and_a_text(
    make: Callable[[str], AMQPError], kind: type[AMQPError], code: int, text: str
) -> None:
    error = make("why")
    assert type(error) is kind
    assert (error.code, error.text, error.names_method) == (code, text, True)


def test_an_error_without_explanation_is_its_name_alone() -> None:
    assert HardError(541, "").text == "INTERNAL_ERROR"


def test_an_error_may_leave_out_which_method_failed() -> None:
    assert not HardError(541, "", names_method=False).names_method


def test_misuse_is_told_apart_from_what_rabbitmq_refuses() -> None:
    assert issubclass(Misuse, ValueError)
    assert issubclass(UnsupportedFeature, NotImplementedError)
    assert not issubclass(Misuse, AMQPError)
    assert not issubclass(UnsupportedFeature, AMQPError)
