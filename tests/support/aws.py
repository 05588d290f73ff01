"""The service's table and buckets, by moto: ``aws`` in this process (fast), ``aws_server`` on loopback, where GDAL too
can read. Both yield the service's settings, which are in the environment as well. tests/conftest.py makes them known.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from cutline.settings import ServiceSettings, service
from cutline.store import clients, s3

REGION = "us-east-1"
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "CUTLINE_TABLE": "cutline-test",
    "CUTLINE_WORK_BUCKET": "cutline-test-work",
    "CUTLINE_EXPORTS_BUCKET": "cutline-test-exports",
    "CUTLINE_INBOX_BUCKET": "cutline-test-inbox",
    "CUTLINE_AUDIT_BUCKET": "cutline-test-audit",
    "CUTLINE_READY_QUEUE": f"https://sqs.{REGION}.amazonaws.com/123456789012/cutline-test-ready",
    "CUTLINE_NOTIFY_QUEUE": f"https://sqs.{REGION}.amazonaws.com/123456789012/cutline-test-notify",
    "CUTLINE_SECRETS": "Cutline/",
    "CUTLINE_URL": "https://api.example.org",
    "CUTLINE_SOURCE_HOSTS": "s3://scenes,*.example.org",
}
RENEWED = "/renewed-world"
"""Where moto on loopback forgets all, and makes the resources"""
SCENES = "scenes"
"""A bucket for imagery, from which exports may read"""


def make_resources(now: ServiceSettings) -> None:
    """The table with its indexes, the service's four buckets and the one for ``SCENES``, the queues: in moto of this
    process, and not by AWS's APIs, which would take half of the time of all tests that need them."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.dynamodb.models import dynamodb_backends
    from moto.s3.models import s3_backends
    from moto.sqs.models import sqs_backends

    indexes = [
        {
            "IndexName": index,
            "KeySchema": _key_schema(f"{index}pk", f"{index}sk"),
            "Projection": {"ProjectionType": "ALL"},
        }
        for index in ("gsi1", "gsi2")
    ]
    keys = ("pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk")
    dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].create_table(
        now.table,
        schema=_key_schema("pk", "sk"),
        attr=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        global_indexes=indexes,
        billing_mode="PAY_PER_REQUEST",
        throughput=None,
        indexes=[],
        streams=None,
        sse_specification=None,
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )
    objects = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for bucket in (now.work_bucket, now.exports_bucket, now.inbox_bucket, now.audit_bucket, SCENES):
        objects.create_bucket(bucket, REGION)
    objects.put_bucket_versioning(now.inbox_bucket, "Enabled")
    for queue in (now.ready_queue, now.notify_queue):
        sqs_backends[DEFAULT_ACCOUNT_ID][REGION].create_queue(queue.rpartition("/")[2])


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceSettings]:
    """In this process."""
    import moto

    surround(monkeypatch)
    with moto.mock_aws():
        fresh_clients()
        make_resources(service())
        yield service()
    forget_clients()


@pytest.fixture
def whole_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of several threads come one after the other: moto looks at an item and changes it in two steps, and its
    refused transactions undo what others wrote meanwhile; AWS does neither."""
    lock, send = threading.Lock(), BaseClient._make_api_call

    def one_by_one(self: Any, *call: Any) -> Any:
        with lock:
            return send(self, *call)

    monkeypatch.setattr(BaseClient, "_make_api_call", one_by_one)


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """moto, on loopback, once for all tests of this process."""
    environ = {**os.environ, **ENVIRON}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.moto_server"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ, cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


@pytest.fixture
def aws_server(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceSettings]:
    """On loopback, for tests that render: seen by GDAL and by other processes."""
    surround(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    urllib.request.urlopen(urllib.request.Request(f"{moto_url}{RENEWED}", method="POST")).close()  # noqa: S310
    fresh_clients()
    yield service()
    forget_clients()


def surround(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "CUTLINE_"))]:
        monkeypatch.delenv(name)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


class _Clients:
    """Of one endpoint, region and user, for all tests that speak to it: making one takes as long as most tests."""

    def __init__(self, access_key: str) -> None:
        self.session = _session(access_key)
        self.makers = {module: functools.cache(maker.__wrapped__) for module, maker in _MAKERS.items()}


_MAKERS = {clients: clients._client, s3: s3._client}


@functools.cache
def _session(access_key: str) -> boto3.Session:
    """Of these credentials, with the descriptions of AWS's services that it has read once."""
    return boto3.Session()


@functools.lru_cache(maxsize=8)
def _clients(endpoint: str | None, region: str, access_key: str) -> _Clients:
    return _Clients(access_key)


def fresh_clients() -> None:
    """All from now on are for the endpoint and the credentials of now."""
    known = _clients(os.environ.get("AWS_ENDPOINT_URL"), os.environ["AWS_REGION"], os.environ["AWS_ACCESS_KEY_ID"])
    boto3.DEFAULT_SESSION = known.session
    for module, maker in known.makers.items():
        module._client = maker


def spoil_clients() -> None:
    """What happens to clients now is of this test alone: the next gets others."""
    _clients.cache_clear()


def forget_clients() -> None:
    """Clients keep the endpoint and the credentials that they were made with."""
    boto3.DEFAULT_SESSION = None
    for module, maker in _MAKERS.items():
        maker.cache_clear()
        module._client = maker


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to AWS that are tried again follow at once."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
