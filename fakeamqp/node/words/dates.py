"""Dates: what clients and messages say of time, beside the node's own microseconds."""

from __future__ import annotations

import datetime

START_S = 1_704_067_200
"""The date at microsecond 0, in seconds since 1970: 2024-01-01. So dates of the past and of the future are such."""


def date_s(now_us: int) -> int:
    """The date at a time of the node's, in seconds since 1970."""
    return START_S + now_us // 1_000_000


def date_ms(now_us: int) -> int:
    """The date at a time of the node's, in milliseconds since 1970."""
    return START_S * 1000 + now_us // 1000


def moment_us(date: datetime.datetime) -> int:
    """The node's time at a date, in microseconds; negative before the node began."""
    return (int(date.timestamp()) - START_S) * 1_000_000
