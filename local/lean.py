"""To be imported before anything of moto: four ways in which it takes long for nothing.

- Its Step Functions want one module of its Batch. That package imports its EC2, whose tables of regions and instance
  types would be a quarter of the service's start; no state of ours submits a job.
- It makes an SDK client for every task of a state machine, which takes longer than most tasks.
- It lists its own folder and tries two hundred patterns with every request, to find out whose it is.
- It looks for each of the ten types that a value in DynamoDB may have under all names that an attribute may have.
"""

from __future__ import annotations

import functools
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

if "moto.batch" not in sys.modules:
    hollow = ModuleType("moto.batch")
    hollow.__path__ = find_spec("moto.batch").submodule_search_locations  # type: ignore[union-attr, assignment]
    sys.modules["moto.batch"] = hollow
    try:
        import moto.batch.utils  # noqa: F401
    finally:
        del sys.modules["moto.batch"]

from moto.core.models import botocore_stubber
from moto.core.serialize import ResponseSerializer
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.settings import moto_server_port
from moto.stepfunctions.parser.asl.utils import boto_client

_boto_client_for = boto_client.boto_client_for


@functools.cache
def _client(region: str, service: str, *_: object) -> Any:
    return _boto_client_for(region, service)


def _client_for(region: str, service: str, state_credentials: Any = None) -> Any:
    """moto's, which looks at no credentials either."""
    return _client(region, service, moto_server_port(), botocore_stubber.enabled)


boto_client.boto_client_for = _client_for
DomainDispatcherApplication.get_backend_for_host = functools.cache(DomainDispatcherApplication.get_backend_for_host)  # type: ignore[method-assign]

_get_value = ResponseSerializer.get_value


def _value(serializer: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
    """moto's, but of values in DynamoDB, which are as AWS writes them: {"S": "…"}."""
    parent = getattr(shape, "parent", None)
    plain = parent is not None and parent.name == "AttributeValue" and isinstance(value, dict)
    return value.get(key) if plain else _get_value(serializer, value, key, shape)


ResponseSerializer.get_value = _value  # type: ignore[method-assign]
