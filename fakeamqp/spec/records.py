"""Records: classes with slots, an `__init__` and equality by value, made from annotations alone.

What `dataclasses.dataclass(slots=True)` does, for the seventy classes that AMQP needs, in a tenth of its time:
dataclasses alone would cost more than the whole import of fakeamqp may take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform() -> Callable[[Any], Any]:
        """Tells type checkers alone."""
        return lambda cls: cls


Self = TypeVar("Self", bound="RecordMeta")
Changed = TypeVar("Changed", bound="Record")


class RecordMeta(type):
    """Turns annotations that are not ClassVar into slots and `__init__` arguments, in order.

    `class X(Record, frozen=True)` makes records that cannot be changed but can be hashed by value, and takes three
    times as long to make one.
    """

    def __new__(
        mcs: type[Self], name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, frozen: bool = False
    ) -> Self:
        annotations: dict[str, str] = namespace.get("__annotations__", {})
        fields = [each for each, kind in annotations.items() if not kind.startswith("ClassVar")]
        defaults = {each: namespace.pop(each) for each in fields if each in namespace}
        arguments = ["self", *(f"{each}=_defaults[{each!r}]" if each in defaults else each for each in fields)]
        assign = "    _set(self, {0!r}, {0})" if frozen else "    self.{0} = {0}"
        assignments = [assign.format(each) for each in fields] or ["    pass"]
        scope: dict[str, Any] = {"_defaults": defaults, "_set": object.__setattr__}
        exec("\n".join([f"def __init__({', '.join(arguments)}):", *assignments]), scope)
        namespace |= {"__slots__": tuple(fields), "__init__": scope["__init__"], "__match_args__": tuple(fields)}
        if frozen:
            namespace |= {"__setattr__": _refuse_change, "__hash__": _hash_of_values}
        return super().__new__(mcs, name, bases, namespace)


def _hash_of_values(self: Record) -> int:
    return hash((type(self), *(_hashable(getattr(self, each)) for each in self.__slots__)))


def _hashable(value: Any) -> Any:
    """Something that can be hashed and is equal where the values are: for a table, an array, or a record of them."""
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(each)) for key, each in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    if isinstance(value, Record):
        return tuple(_hashable(getattr(value, each)) for each in value.__slots__)
    return value


def _refuse_change(self: Record, name: str, value: object) -> None:
    raise AttributeError(f"{type(self).__name__} cannot be changed; make another with replace({name}=...)")


@dataclass_transform()
class Record(metaclass=RecordMeta):
    """Base of records. Fields of a base class are not inherited: a record's fields stand in one place."""

    if TYPE_CHECKING:
        __slots__: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, each) == getattr(other, each) for each in self.__slots__)

    def replace(self: Changed, **changes: Any) -> Changed:
        """The same record but for these fields."""
        return type(self)(**{each: getattr(self, each) for each in self.__slots__} | changes)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        """Copies and pickles are made by `__init__`, as frozen records can be changed by nobody."""
        return type(self), tuple(getattr(self, each) for each in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{each}={getattr(self, each)!r}' for each in self.__slots__)})"
