"""What a pika user sees when RabbitMQ refuses: one context manager for each kind of refusal."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pika.exceptions
import pytest


@contextlib.contextmanager
def channel_closed(code: int, text: str | re.Pattern[str]) -> Iterator[None]:
    """The block makes RabbitMQ close the channel with exactly this reply code and text (or a full regex match)."""
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        yield
    _assert_reply(caught.value.reply_code, caught.value.reply_text, code, text)


@contextlib.contextmanager
def connection_closed(code: int, text: str | re.Pattern[str]) -> Iterator[None]:
    """The block makes RabbitMQ close the connection with exactly this reply code and text (or a full regex match)."""
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as caught:
        yield
    _assert_reply(caught.value.reply_code, caught.value.reply_text, code, text)


def _assert_reply(code: int, text: str, expected_code: int, expected_text: str | re.Pattern[str]) -> None:
    if isinstance(expected_text, re.Pattern):
        assert code == expected_code
        assert expected_text.fullmatch(text), f"{text!r} does not match {expected_text.pattern!r}"
    else:
        assert (code, text) == (expected_code, expected_text)
