"""Models as DynamoDB items and back. Numbers travel as decimals there, and NaN not at all."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from cutline.models.base import Model

META = "META"
"""The sort key of the one item that a partition is about"""

M = TypeVar("M", bound=Model)

_serializer, _deserializer = TypeSerializer(), TypeDeserializer()

Item = dict[str, Any]
"""Attribute -> value, as DynamoDB's own API types it ({"S": …}, {"N": …})"""


def stamp(at: dt.datetime) -> str:
    """A time in UTC as text that sorts, to the millisecond, as Step Functions writes it too."""
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def typed(attributes: Mapping[str, Any]) -> Item:
    """Plain JSON values as DynamoDB types them; None is left out."""
    plain = json.loads(
        json.dumps({key: value for key, value in attributes.items() if value is not None}), parse_float=Decimal
    )
    return {key: _serializer.serialize(value) for key, value in plain.items()}


def item_of(model: Model, **keys: str) -> Item:
    """``model`` as an item with the table's ``keys``."""
    return typed({**model.model_dump(mode="json", exclude_none=True), **keys})


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item's attributes as JSON values."""
    return {key: _plain(_deserializer.deserialize(value)) for key, value in item.items()}


def model_of(model: type[M], item: Mapping[str, Any]) -> M:
    """The model that an item holds, among the table's keys and other attributes."""
    return model.model_validate({key: value for key, value in plain(item).items() if key in model.model_fields})


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
    return value
