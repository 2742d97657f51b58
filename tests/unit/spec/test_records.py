"""Records: values with named fields."""

from __future__ import annotations

from typing import ClassVar

import pytest

from fakeamqp.spec.records import Record


class Point(Record):
    KIND: ClassVar[str] = "point"
    x: int
    y: int = 0


class Place(Record):
    x: int
    y: int = 0


class Fixed(Record, frozen=True):
    x: int
    y: int = 0


class Nothing(Record):
    pass


def test_fields_are_given_in_order_or_by_name() -> None:
    assert (Point(1, 2).x, Point(1, 2).y) == (1, 2)
    assert Point(y=2, x=1) == Point(1, 2)


def test_a_field_may_have_a_default() -> None:
    assert Point(1).y == 0


def test_a_field_without_a_default_must_be_given() -> None:
    with pytest.raises(TypeError, match="x"):
        Point()  # type: ignore[call-arg]


def test_a_record_may_have_no_fields() -> None:
    assert Nothing() == Nothing()
    assert repr(Nothing()) == "Nothing()"


def test_class_variables_are_no_fields() -> None:
    assert Point.__slots__ == ("x", "y")
    assert Point(1).KIND == "point"


def test_equal_fields_make_equal_records_of_one_class() -> None:
    assert Point(1, 2) == Point(1, 2)
    assert Point(1, 2) != Point(1, 3)
    assert Point(1, 2) != Place(1, 2)
    assert Point(1, 2) != (1, 2)


def test_records_have_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1))


def test_records_have_no_other_attributes() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]


def test_replace_changes_some_fields_of_a_copy() -> None:
    point = Point(1, 2)
    assert point.replace(y=5) == Point(1, 5)
    assert point == Point(1, 2)


def test_replace_knows_the_fields() -> None:
    with pytest.raises(TypeError, match="z"):
        Point(1).replace(z=3)


def test_a_frozen_record_cannot_be_changed() -> None:
    fixed = Fixed(1)
    with pytest.raises(AttributeError, match=r"Fixed cannot be changed; make another with replace\(x=\.\.\.\)"):
        fixed.x = 2  # type: ignore[misc]
    assert fixed == Fixed(1, 0)
    assert fixed.replace(x=2) == Fixed(2, 0)


def test_a_record_shows_its_fields() -> None:
    assert repr(Point(1, 2)) == "Point(x=1, y=2)"


def test_records_match_patterns_by_position() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)
        case _:
            pytest.fail("did not match")
