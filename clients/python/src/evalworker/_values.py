"""Copies values of an application, whatever they are, into the forms that JSON has."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Dict, List, Tuple

_MOST_VALUES = 100_000  # of one event: to copy them takes some 20 ms
_MOST_ITEMS = 10_000  # of one array of numpy, torch and their like
_DEEPEST = 100  # what is nested more deeply, or in itself, becomes text


class TooLarge(Exception):
    """A value holds more than an event can."""


def copy(value: Any) -> Any:
    """Returns a copy that shares nothing that can change with the application.

    It holds dicts with text as keys, lists, str, int, finite floats, bool, None, and
    bytes, which `media.replace` makes text. NaN and infinities become None, objects of
    other libraries what they are as JSON, and else their text. Raises only TooLarge."""
    return _Copy().copy(value, 0)


def copy_sized(value: Any) -> Tuple[Any, int]:
    """Returns a copy as `copy` does, and about how many bytes it takes."""
    work = _Copy()
    return work.copy(value, 0), work.size


class _Copy:
    __slots__ = ("size", "values")

    def __init__(self) -> None:
        self.size = 0
        self.values = 0

    def copy(self, value: Any, depth: int) -> Any:
        kind = type(value)
        self.values += 1
        self.size += 16
        if kind is str:
            self.size += len(value)
            return value
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if value.bit_length() <= 1024 else f"[integer of {value.bit_length()} bits]"
        if kind is float:
            return value if math.isfinite(value) else None
        if kind is bytes:
            self.size += len(value)
            return value
        if self.values > _MOST_VALUES:
            raise TooLarge
        if depth >= _DEEPEST:
            return "[nested too deeply]"
        if kind is dict:
            return self._dict(value, depth)
        if kind is list or kind is tuple:
            return self._list(value, depth)
        try:
            return self.copy(_plain(value), depth + 1)
        except TooLarge:
            raise
        except Exception:  # an odd object; the rest of the event is worth more than this
            return f"[{kind.__name__}]"

    def _dict(self, value: Any, depth: int) -> Dict[str, Any]:
        made = {}
        for key, member in list(value.items()):  # a list, because another thread may change the dict
            if type(key) is not str:
                key = _key(key)
            self.size += len(key)
            made[key] = self.copy(member, depth + 1)
        return made

    def _list(self, value: Any, depth: int) -> List[Any]:
        return [self.copy(item, depth + 1) for item in list(value)]


def _key(key: Any) -> str:
    try:
        return str(key.value if isinstance(key, Enum) else key)
    except Exception:
        return f"[{type(key).__name__}]"


def _plain(value: Any) -> Any:
    """Returns an object in a form that is closer to JSON."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (float, Decimal)):
        return float(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, datetime):  # one without a zone is local time, as everywhere in Python
        return (value if value.tzinfo is not None else value.astimezone()).isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):  # a named tuple
        return dict(value._asdict())
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return list(value)
    shape = getattr(value, "shape", None)  # of an array or a table
    if isinstance(shape, tuple) and math.prod(shape) > _MOST_ITEMS:
        return f"[{type(value).__name__} of shape {tuple(shape)}]"
    found = as_json(value)
    if found is not value:
        return found
    if isinstance(shape, tuple) and hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name, None) for name in value.__dataclass_fields__}
    return str(value)


def as_json(value: Any) -> Any:
    """Returns an object of pydantic, of a provider's library or the like as dicts and lists,
    with the names and only the fields that the answer had; any other value as it is."""
    if isinstance(value, (dict, list, str)) or value is None or isinstance(value, type):
        return value
    ways: Tuple[Tuple[str, Dict[str, Any]], ...] = (
        ("model_dump", {"mode": "json", "by_alias": True, "exclude_unset": True, "warnings": False}),
        ("model_dump", {"exclude_unset": True}),  # bytes that are no text have no form in the mode "json"
        ("to_dict", {}),
        ("dict", {}),
    )
    for name, arguments in ways:
        try:
            found = getattr(value, name)(**arguments)
        except Exception:  # no such method, another meaning of the name, another version
            continue
        if isinstance(found, (dict, list)):  # not what a mock of a test answers
            return found
    return value
