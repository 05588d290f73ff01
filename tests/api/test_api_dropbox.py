"""Dropbox from end to end: a user lets us in by the API, and an export comes there by the function deliver."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from dropbox.content_hash import DropboxContentHasher, content_hash

from cutline.cog.checksum import crc64_text
from cutline.deliver import content_hash as ours
from cutline.deliver import dropbox
from cutline.kernel import crc64
from cutline.models.record import DeliveryRecord
from cutline.service import destinations
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.deliveries import Deliveries
from cutline.store.records import Records
from functions.deliver.handler import handler
from tests.support.api import Call
from tests.support.destinations import ask
from tests.support.dropbox_account import APP_KEY, APP_SECRET, Account, Fault
from tests.support.dropbox_journeys import BLOCK, content, slept
from tests.support.dropbox_server import dropbox_server
from tests.support.exports import make_cog, make_export, put
from tests.support.steps import Context

__all__ = ["dropbox_server", "slept"]

TASK = {"what": "deliver", "export_id": "e1", "attempt": 1, "delivery_id": "d1", "cog_href": "s3://b/k.tif",
        "execution": "e1-1"}  # fmt: skip
COG = content(5 * BLOCK + 7)
CODE = "a-code-that-nobody-keeps"


@pytest.fixture
def account(
    api: Call, aws: ServiceSettings, dropbox_server: Account, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> Account:
    """Dropbox, where a user has just been told a code; pieces are of one small block."""
    for module, name in ((ours, "BLOCK"), (dropbox, "PIECE"), (DropboxContentHasher, "BLOCK_SIZE")):
        monkeypatch.setattr(module, name, BLOCK)
    monkeypatch.setattr(destinations, "ask", ask)
    monkeypatch.setenv("CUTLINE_DROPBOX_KEY", APP_KEY)
    monkeypatch.setenv("CUTLINE_DROPBOX_SECRET_ID", "dropbox-app")
    client("secretsmanager").create_secret(Name="dropbox-app", SecretString=APP_SECRET)
    dropbox_server.codes.add(CODE)
    return dropbox_server


@pytest.fixture
def home(api: Call, account: Account) -> dict[str, Any]:
    """A destination that was authorised, as its owner sees it."""
    made = api("POST", "/destinations", body={"name": "home", "settings": {"kind": "dropbox", "prefix": "maps"}}).json
    asked = parse_qs(urlsplit(made["links"]["authorize"]).query)
    code = {"code": CODE, "state": asked["state"][0]}
    done = api("POST", f"/destinations/{made['destination_id']}/authorize", body=code)
    assert (done.status, done.json["state"]) == (200, "verified"), done.text
    return done.json


def make_delivery(aws: ServiceSettings, destination_id: str) -> None:
    record = make_cog(aws, make_export(status="DELIVERING"))
    put(aws.exports_bucket, "anna/e1/north field.tif", COG)
    etag = client("s3").head_object(Bucket=aws.exports_bucket, Key="anna/e1/north field.tif")["ETag"]
    true = {"etag": etag, "nbytes": len(COG), "crc64nvme": crc64_text(crc64(COG))}
    Records(aws.table).change(record, result=record.result.model_copy(update=true))
    Records(aws.table).put_delivery(
        "e1",
        DeliveryRecord(
            delivery_id="d1", kind="dropbox", destination_id=destination_id, prefix="maps", state="pending", attempt=1
        ),
    )


def test_a_cog_arrives_over_many_invocations(
    aws: ServiceSettings, home: dict[str, Any], account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    make_delivery(aws, home["destination_id"])
    told = []
    for _ in range(8):  # to begin, six pieces, and to make them a file
        assert handler(TASK, Context(1000)) == {"done": False, "delivered": False, "wait": 0}
        told.append(json.dumps(Deliveries(aws.table, "e1").get("d1").cursor))
    assert handler(TASK, Context(1000)) == {"done": True, "delivered": True, "wait": 0}
    delivery = Deliveries(aws.table, "e1").get("d1")
    assert (delivery.uri, delivery.nbytes) == ("dropbox:/maps/north field.tif", len(COG))
    assert delivery.checksum == f"dropbox-content-hash:{content_hash(COG)}"
    assert set(account.files) == {f"/maps/north field{suffix}" for suffix in (".tif", ".json", ".manifest.json")}
    assert max(map(len, told)) < 500
    told += [caplog.text, json.dumps(client("dynamodb").scan(TableName=aws.table)["Items"]), json.dumps(home)]
    canaries = (APP_SECRET, CODE, *account.refresh_tokens, *account.access_tokens)
    assert not [canary for canary in canaries if canary in "".join(told)]


def test_a_wait_that_dropbox_asks_for_is_told_to_the_state_machine(
    aws: ServiceSettings, home: dict[str, Any], account: Account, slept: list[float]
) -> None:
    make_delivery(aws, home["destination_id"])
    account.faults.append(Fault("files/upload_session/start", 429, "slow down", {"Retry-After": "120"}))
    assert handler(TASK, Context()) == {"done": False, "delivered": False, "wait": 120}
    delivery = Deliveries(aws.table, "e1").get("d1")
    assert delivery.state == "running" and delivery.error is not None and "120 s" in delivery.error.message
    assert handler(TASK, Context())["delivered"]
    assert slept == [] and Deliveries(aws.table, "e1").get("d1").error is None


def test_who_takes_access_back_is_told_to_authorise_again(
    api: Call, aws: ServiceSettings, home: dict[str, Any], account: Account
) -> None:
    make_delivery(aws, home["destination_id"])
    handler(TASK, Context(1000))
    account.refresh_tokens.clear()
    assert handler(TASK, Context(1000)) == {"done": True, "delivered": False, "wait": 0}
    error = Deliveries(aws.table, "e1").get("d1").error
    assert error is not None and error.code == "bad-credentials"
    assert "authorise the destination again" in error.message
    tried = api("POST", f"/destinations/{home['destination_id']}/verify").json
    assert (tried["state"], tried["problem"]["code"]) == ("failing", "bad-credentials")


def test_a_wrong_code_is_told(api: Call, account: Account) -> None:
    made = api("POST", "/destinations", body={"name": "home", "settings": {"kind": "dropbox"}}).json
    refused = api("POST", f"/destinations/{made['destination_id']}/authorize", body={"code": "another"})
    assert "does not take this code" in refused.text


def test_a_full_account_is_told_with_numbers(aws: ServiceSettings, home: dict[str, Any], account: Account) -> None:
    make_delivery(aws, home["destination_id"])
    account.others = account.allocated - 100
    assert handler(TASK, Context()) == {"done": True, "delivered": False, "wait": 0}
    error = Deliveries(aws.table, "e1").get("d1").error
    assert error is not None and error.code == "quota-exceeded"
    assert "room for 100 bytes" in error.message
