"""Events as JSON lines; `Selection.to_jsonl` says how they look."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
from collections.abc import Mapping
from typing import Any

from fakeamqp.simulation.record.events import HIDDEN, Event
from fakeamqp.spec.records import Record


def line_of(event: Event) -> str:
    """One event as JSON, without a line end."""
    method = event.method
    fields = (
        None if method is None else {name: getattr(method, name) for name in method.__slots__ if name not in HIDDEN}
    )
    found = {
        "at_us": event.at_us,
        "kind": event.kind,
        "connection": event.connection,
        "channel": event.channel,
        "task": event.task,
        "text": event.text,
        "method": None if method is None else method.NAME,
        "fields": fields,
        "details": event.details,
    }
    return json.dumps(_plain(found), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """A value in words that JSON has."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(bytes(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Record):
        return {name: _plain(each) for name in value.__slots__ if (each := getattr(value, name)) is not None}
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, decimal.Decimal) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value if isinstance(value, str | int | float | None) else repr(value)


def _bytes(value: bytes) -> dict[str, str]:
    try:
        return {"text": value.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
