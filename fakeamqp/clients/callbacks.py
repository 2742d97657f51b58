"""pika's table of callbacks, which finds out once, not four times a call, what a key is called.

The bodies are pika's own functions, without the decorators around them that turn a key of any kind into a name. Where
pika has no such decorators, or somebody has replaced one of the functions, pika's own table stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika.spec
from pika.callback import CallbackManager, name_or_value

_NAMES: dict[Any, str] = {each: each.NAME for each in pika.spec.methods.values()}
_NAMES.update((number, str(number)) for number in range(256))
"""Names of pika's methods, and of the channels that there nearly always are."""
_SHORTENED = ("add", "cleanup", "pending", "process", "remove")
_ORIGINALS = {name: vars(CallbackManager)[name] for name in _SHORTENED if name in vars(CallbackManager)}


def _name(value: Any) -> str:
    """What pika's `name_or_value` says."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    return _NAMES.get(value if kind is type or kind is int else kind) or name_or_value(value)


def _undecorated(name: str) -> Callable[..., Any]:
    function = _ORIGINALS[name]
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function  # type: ignore[no-any-return]


IS_KNOWN = len(_ORIGINALS) == len(_SHORTENED) and all(hasattr(each, "__wrapped__") for each in _ORIGINALS.values())
"""Whether this pika's table is as it was when this was written."""

if IS_KNOWN:
    _add, _cleanup, _pending, _process, _remove = map(_undecorated, _SHORTENED)


class QuickCallbacks(CallbackManager):
    """pika's functions, with keys that are named once."""

    def add(self, prefix: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        """As pika's."""
        return _add(self, _name(prefix), _name(key), *args, **kwargs)

    def cleanup(self, prefix: Any) -> Any:
        """As pika's."""
        return _cleanup(self, _name(prefix))

    def pending(self, prefix: Any, key: Any) -> int | None:
        """As pika's."""
        return _pending(self, _name(prefix), _name(key))  # type: ignore[no-any-return]

    def process(self, prefix: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        """As pika's."""
        return _process(self, _name(prefix), _name(key), *args, **kwargs)

    def remove(self, prefix: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        """As pika's: False where nothing is there."""
        prefix, key = _name(prefix), _name(key)
        if _pending(self, prefix, key) is None:
            return False
        return _remove(self, prefix, key, *args, **kwargs)


def quicken(callbacks: Any) -> None:
    """Make a table of pika's quick, if it is as it was when this was written and nobody has changed it since."""
    if IS_KNOWN and type(callbacks) is CallbackManager and _is_untouched():
        callbacks.__class__ = QuickCallbacks


def _is_untouched() -> bool:
    return all(vars(CallbackManager).get(name) is original for name, original in _ORIGINALS.items())
