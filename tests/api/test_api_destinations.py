"""/destinations, and deliveries to them, as their owners use them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from cutline.errors import BadCredentials, TransientError
from cutline.service import destinations
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.deliveries import Deliveries
from cutline.store.records import Records
from tests.support.api import ANNA, BEN, BODY, Call
from tests.support.destinations import BUCKET, KEYS, ROLE, Place
from tests.support.exports import make_cog, make_export

pytestmark = pytest.mark.usefixtures("place")

SFTP = {
    "kind": "sftp", "host": "files.example.org", "username": "anna", "host_key": "ssh-ed25519 AAAAC3Nz",
    "prefix": "/exports/{date}/",
}  # fmt: skip
EXPORT = "e" * 24


def make(api: Call, settings: dict[str, Any] = BUCKET, secret: Any = KEYS, **how: Any) -> dict[str, Any]:
    body = {"name": "home", "settings": settings, **({"secret": secret} if secret else {})}
    made = api("POST", "/destinations", body=body, **how)
    assert made.status == 201, made.text
    assert made.headers["location"] == made.json["links"]["self"]
    return dict(made.json)


def secrets() -> dict[str, str]:
    """Name -> text of all that Secrets Manager has."""
    manager = client("secretsmanager")
    names = [each["Name"] for each in manager.list_secrets()["SecretList"]]
    return {name: manager.get_secret_value(SecretId=name)["SecretString"] for name in names}


def test_a_bucket_by_access_keys(api: Call) -> None:
    made = make(api)
    path = f"/destinations/{made['destination_id']}"
    assert (made["state"], made["has_secret"], made["setup"]["trust_policy"]) == ("new", True, None)
    [(name, text)] = secrets().items()
    assert name.startswith(f"Cutline/destinations/{ANNA}/{made['destination_id']}/") and json.loads(text) == KEYS
    assert api("GET", path).json == made
    assert api("GET", "/destinations").json == {"destinations": [made]}


@pytest.fixture
def our_account(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_ACCOUNT", "123456789012")


@pytest.mark.usefixtures("our_account")
def test_a_bucket_by_a_role_shows_what_to_paste(api: Call) -> None:
    made = make(api, secret=None)
    assert made["state"] == "unauthorized"
    [statement] = made["setup"]["trust_policy"]["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": made["setup"]["external_id"]}}
    [allowed] = made["setup"]["permissions"]["Statement"]
    assert allowed["Resource"] == "arn:aws:s3:::annas-bucket/*"
    path = f"/destinations/{made['destination_id']}"
    entered = api("PATCH", path, body={"settings": ROLE}).json
    assert (entered["state"], entered["setup"]["external_id"]) == ("new", made["setup"]["external_id"])
    other = make(api, ROLE, None)
    assert other["setup"]["external_id"] != made["setup"]["external_id"]


@pytest.mark.parametrize(
    ("settings", "secret", "pointer", "said"),
    [
        ({**ROLE, "role_arn": "arn:aws:iam::123456789012:role/deliver"}, None, "/settings/role_arn", "own account"),
        (ROLE, KEYS, "/secret", "one of them"),
        ({**ROLE, "endpoint": "https://s3.example.org"}, None, "/settings/role_arn", "AWS's alone"),
        ({**BUCKET, "endpoint": "https://s3.example.org"}, None, "/secret", "access_key_id"),
        (BUCKET, {"password": "x"}, "/secret", "access_key_id"),
        (SFTP, None, "/secret", "password or private_key"),
        (SFTP, {}, "/secret", "password or private_key"),
        (SFTP, {"password": "x", "private_key": "y"}, "/secret", "by one of them"),
        (SFTP, {"password": 5}, "/secret/password", "should be a text"),
        (SFTP, {"password": "x" * 70_000}, "/secret/password", "more than 1000 characters"),
        (BUCKET, {"access_key_id": "x"}, "/secret/secret_access_key", "is required"),
        ({**BUCKET, "endpoint": "foo"}, KEYS, "/settings/endpoint", "has to be https://host"),
        ({**BUCKET, "endpoint": "https://h:99999"}, KEYS, "/settings/endpoint", "has to be https://host"),
        (
            {**BUCKET, "kms_key": "arn:aws:kms:eu-central-1:123456789012:alias/ours"},
            None,
            "/settings/kms_key",
            "no alias",
        ),
        ({"kind": "dropbox"}, KEYS, "/secret", "links.authorize"),
        ({**SFTP, "prefix": "../other"}, {"password": "x"}, "/settings/prefix", "neither . nor .."),
        ({**SFTP, "prefix": "{owner}/x"}, {"password": "x"}, "/settings/prefix", "only {name}, {date} and {id}"),
        ({**SFTP, "prefix": "{name!r}"}, {"password": "x"}, "/settings/prefix", "only {name}"),
        ({**SFTP, "prefix": "a\\b"}, {"password": "x"}, "/settings/prefix", "backslashes"),
        ({"kind": "ftp"}, None, "/settings", "kind"),
    ],
)
@pytest.mark.usefixtures("our_account")
def test_what_does_not_fit_is_refused(api: Call, settings: Any, secret: Any, pointer: str, said: str) -> None:
    body = {"name": "home", "settings": settings, **({} if secret is None else {"secret": secret})}
    refused = api("POST", "/destinations", body=body)
    assert (refused.status, refused.json["pointer"]) == (422, pointer), refused.text
    assert said in refused.json["detail"]
    assert secrets() == {} and api("GET", "/destinations").json == {"destinations": []}


def test_without_a_dropbox_app_there_is_no_dropbox(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_DROPBOX_KEY", "")
    refused = api("POST", "/destinations", body={"name": "home", "settings": {"kind": "dropbox"}})
    assert (refused.status, refused.json["pointer"]) == (422, "/settings/kind")


def test_prefixes_lose_their_outer_slashes(api: Call) -> None:
    assert make(api, SFTP, {"password": "x"})["settings"]["prefix"] == "exports/{date}"


def test_one_may_have_so_many(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", '{"destinations": 1}')
    make(api)
    refused = api("POST", "/destinations", body={"name": "home", "settings": BUCKET})
    assert (refused.status, refused.json["code"]) == (429, "rate-limited")
    make(api, who=BEN)


def test_a_change_keeps_what_it_does_not_name(api: Call) -> None:
    made = make(api)
    path = f"/destinations/{made['destination_id']}"
    api("POST", f"{path}/verify")
    renamed = api("PATCH", path, body={"name": "another"}).json
    assert renamed == {**made, "name": "another", "state": "verified", "verified_at": renamed["verified_at"]}
    moved = api("PATCH", path, body={"settings": {**BUCKET, "prefix": "x"}}).json
    assert (moved["state"], moved["settings"]["prefix"], moved["has_secret"]) == ("new", "x", True)
    api("PATCH", path, body={"secret": {**KEYS, "secret_access_key": "newer"}})
    [text] = secrets().values()
    assert json.loads(text)["secret_access_key"] == "newer"
    entered = api("PATCH", path, body={"settings": ROLE}).json
    assert (entered["has_secret"], secrets()) == (False, {}), "a role needs none"


@pytest.mark.parametrize(("name", "value"), [("host", "evil.example.org"), ("host_key", "ssh-ed25519 BBBB")])
def test_a_secret_does_not_follow_to_another_server(api: Call, name: str, value: str) -> None:
    """Whoever has somebody's token for an hour does not learn the password."""
    made = make(api, SFTP, {"password": "x"})
    path = f"/destinations/{made['destination_id']}"
    refused = api("PATCH", path, body={"settings": {**SFTP, name: value}})
    assert (refused.status, refused.json["pointer"]) == (422, "/secret")
    assert api("GET", path).json == made
    assert api("PATCH", path, body={"settings": {**SFTP, name: value}, "secret": {"password": "y"}}).status == 200


def test_a_destination_stays_of_its_kind(api: Call) -> None:
    refused = api("PATCH", f"/destinations/{make(api)['destination_id']}", body={"settings": SFTP})
    assert (refused.status, refused.json["pointer"]) == (422, "/settings/kind")


def test_a_deleted_destination_leaves_no_secret(api: Call) -> None:
    path = f"/destinations/{make(api)['destination_id']}"
    assert api("DELETE", path).status == 204
    assert (secrets(), api("GET", path).status, api("DELETE", path).status) == ({}, 404, 404)


def test_trying_says_in_one_sentence_what_is_missing(api: Call, place: Place) -> None:
    path = f"/destinations/{make(api)['destination_id']}"
    place.failing = [BadCredentials("the keys may not s3:PutObject below annas-bucket/; allow it"), None]
    failing = api("POST", f"{path}/verify")
    assert (failing.status, failing.json["state"]) == (200, "failing")
    assert failing.json["problem"] == {
        "code": "bad-credentials", "message": "the keys may not s3:PutObject below annas-bucket/; allow it",
        "pointer": None,
    }  # fmt: skip
    verified = api("POST", f"{path}/verify").json
    assert (verified["state"], verified["problem"]) == ("verified", None)
    settings, secret, external_id = place.made[-1]
    assert (settings.bucket, secret.secret_access_key.get_secret_value()) == ("annas-bucket", KEYS["secret_access_key"])
    assert external_id == verified["setup"]["external_id"]


def test_so_many_trials_and_then_one_waits(api: Call, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers nobody holds a function as long as it is waited for."""
    monkeypatch.setattr(destinations, "TRIALS_IN_A_ROW", 2)
    path = f"/destinations/{make(api)['destination_id']}/verify"
    assert [api("POST", path).status for _ in range(3)] == [200, 200, 429]
    refused = api("POST", path)
    assert 0 < int(refused.headers["retry-after"]) <= 20
    assert refused.json["detail"].startswith("6 trials of destinations a minute, 2 in a row, are the most")
    assert len(place.made) == 2
    dropbox = make(api, {"kind": "dropbox"}, None)["destination_id"]
    assert api("POST", f"/destinations/{dropbox}/authorize", body={"code": "c0de"}).status == 429
    bens = make(api, who=BEN)["destination_id"]
    assert api("POST", f"/destinations/{bens}/verify", who=BEN).status == 200


def test_an_id_that_cannot_be_one_is_not_looked_for(api: Call) -> None:
    for method, path, body in (("GET", "", None), ("PATCH", "", {"name": "x"}), ("POST", "/verify", None)):
        refused = api(method, f"/destinations/{'d' * 2000}{path}", body=body)
        assert refused.status == 404 and len(refused.json["detail"]) < 100


def test_an_app_that_is_taken_away_hides_no_destinations(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(api, {"kind": "dropbox"}, None)
    monkeypatch.setenv("CUTLINE_DROPBOX_KEY", "")
    [shown] = api("GET", "/destinations").json["destinations"]
    assert shown["links"].keys() == made["links"].keys() - {"authorize"}


def test_a_destination_that_does_not_answer_is_not_judged(api: Call, place: Place) -> None:
    path = f"/destinations/{make(api)['destination_id']}"
    place.failing = [TransientError("annas-bucket does not answer; try again")]
    silent = api("POST", f"{path}/verify")
    assert (silent.status, silent.json["detail"]) == (503, "annas-bucket does not answer; try again")
    assert api("GET", path).json["state"] == "new"


def test_dropbox_is_authorised_by_a_code(api: Call, place: Place) -> None:
    made = make(api, {"kind": "dropbox"}, None)
    assert made["state"] == "unauthorized"
    assert "client_id=the-app" in made["links"]["authorize"]
    path = f"/destinations/{made['destination_id']}/authorize"
    foreign = api("POST", path, body={"code": "c0de", "state": "another's"})
    assert (foreign.status, foreign.json["pointer"], secrets()) == (422, "/state", {})
    state = made["links"]["authorize"].partition("state=")[2].partition("&")[0]
    done = api("POST", path, body={"code": "c0de", "state": state})
    assert (done.status, done.json["state"], done.json["has_secret"]) == (200, "verified", True)
    assert list(secrets().values()) == ['{"refresh_token": "for-c0de"}']
    assert place.made[-1][1].refresh_token.get_secret_value() == "for-c0de"
    wrong = api("POST", f"/destinations/{make(api)['destination_id']}/authorize", body={"code": "c0de"})
    assert wrong.status == 422


# Exports to destinations ----------------------------------------------------------------------------------------


def test_an_export_names_destinations_of_its_owner(api: Call) -> None:
    anna, ben = make(api), make(api, who=BEN)
    wanted = [{"kind": "destination", "destination_id": each["destination_id"]} for each in (anna, ben)]
    refused = api("POST", "/exports", body={**BODY, "deliveries": [{"kind": "link"}, *wanted]})
    assert (refused.status, refused.json["pointer"]) == (422, "/deliveries/2/destination_id")
    assert api("POST", "/exports", body={**BODY, "deliveries": wanted[:1]}).status == 202
    assert api("POST", "/exports", body={**BODY, "deliveries": []}).status == 202


@pytest.fixture
def finished(api: Call, aws: ServiceSettings) -> str:
    """The path of the deliveries of an export of ANNA's that has ended well."""
    export = make_cog(aws, make_export(EXPORT, owner=ANNA, status="DELIVERING"))
    Records(aws.table).move(export, "SUCCESS")
    return f"/exports/{EXPORT}/deliveries"


def test_a_finished_export_is_delivered_once_more(api: Call, aws: ServiceSettings, finished: str) -> None:
    wanted = {"kind": "destination", "destination_id": make(api)["destination_id"]}
    started = api("POST", finished, body=wanted)
    assert started.status == 202, started.text
    assert started.json["status"] == "SUCCESS"
    [sent] = [each for each in started.json["deliveries"] if each["kind"] == "s3"]
    assert (sent["state"], sent["destination_id"]) == ("pending", wanted["destination_id"])
    executions = client("stepfunctions").list_executions(stateMachineArn=service_machine())["executions"]
    [task] = [json.loads(describe(each["executionArn"])["input"]) for each in executions]
    assert task.keys() == {"export_id", "attempt", "owner", "delivery_id", "cog_href"}
    assert task["delivery_id"] == sent["delivery_id"]
    again = api("POST", finished, body=wanted)
    assert (again.status, again.json["code"]) == (409, "conflict")
    assert api("POST", finished, body={**wanted, "prefix": "elsewhere"}).status == 202
    deliveries = Deliveries(aws.table, EXPORT)
    deliveries.save(deliveries.get(sent["delivery_id"]), state="done")
    assert api("POST", finished, body=wanted).status == 202
    audit = api("GET", f"/exports/{EXPORT}/audit").json
    assert [line["what"] for line in audit["events"]].count("delivery asked for") == 3


def test_what_has_no_file_is_not_delivered(api: Call) -> None:
    make_export(EXPORT, owner=ANNA, status="RENDERING")
    wanted = {"kind": "destination", "destination_id": make(api)["destination_id"]}
    refused = api("POST", f"/exports/{EXPORT}/deliveries", body=wanted)
    assert (refused.status, refused.json["code"]) == (409, "conflict")


def test_a_finished_export_goes_to_its_owners_destinations_alone(api: Call, finished: str) -> None:
    bens = make(api, who=BEN)["destination_id"]
    refused = api("POST", finished, body={"kind": "destination", "destination_id": bens})
    assert (refused.status, refused.json["pointer"]) == (422, "/destination_id")


def service_machine() -> str:
    from cutline.settings import service

    return service().state_machine


def describe(arn: str) -> dict[str, Any]:
    return dict(client("stepfunctions").describe_execution(executionArn=arn))


# Secrets --------------------------------------------------------------------------------------------------------

CANARY = "canary-4f1d0f"


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """All that was logged and printed."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.INFO)  # which logs requests, to no one in production
    return lambda: caplog.text + "".join(capfd.readouterr())


def test_a_secret_is_found_nowhere(
    api: Call, aws: ServiceSettings, place: Place, finished: str, written: Callable[[], str]
) -> None:
    """Neither in answers, nor in the table, histories, objects and logs: whatever is done with it, and goes wrong."""
    keys = {"access_key_id": CANARY, "secret_access_key": CANARY}
    answers = [api("POST", "/destinations", body={"name": "n", "settings": BUCKET, "secret": keys})]
    destination = answers[0].json["destination_id"]
    path = f"/destinations/{destination}"
    for wrong in ({**keys, "more": CANARY}, {"access_key_id": CANARY}, CANARY, [CANARY], {"password": CANARY}):
        answers.append(api("POST", "/destinations", body={"name": "n", "settings": BUCKET, "secret": wrong}))
        answers.append(api("PATCH", path, body={"secret": wrong}))
        assert {each.status for each in answers[-2:]} == {422}
    dropbox = make(api, {"kind": "dropbox"}, None)["destination_id"]
    answers.append(api("POST", f"/destinations/{dropbox}/authorize", body={"code": CANARY}))
    answers.append(api("POST", f"/destinations/{dropbox}/authorize", body={"code": [CANARY]}))
    place.failing = [BadCredentials("no"), TransientError("busy"), RuntimeError("a bug of ours")]
    answers += [api("POST", f"{path}/verify") for _ in range(4)]
    answers += [api("GET", path), api("GET", "/destinations"), api("PATCH", path, body={"secret": keys})]
    wanted = {"kind": "destination", "destination_id": destination}
    answers.append(api("POST", finished, body=wanted))
    answers += [api("GET", f"/exports/{EXPORT}{part}") for part in ("", "/audit")]
    [name] = [name for name in secrets() if destination in name]
    client("secretsmanager").put_secret_value(SecretId=name, SecretString=f'["{CANARY}"]')
    answers.append(api("POST", f"{path}/verify"))
    assert answers[-1].status == 500
    assert any(CANARY in text for text in secrets().values()), "it is where it belongs"

    told = [each.text + json.dumps(each.headers) for each in answers]
    kept = json.dumps(client("dynamodb").scan(TableName=aws.table)["Items"])
    histories = json.dumps([describe(each["executionArn"]) for each in executions()], default=str)
    for where in (*told, kept, histories, written()):
        assert CANARY not in where


def executions() -> list[dict[str, Any]]:
    return list(client("stepfunctions").list_executions(stateMachineArn=service_machine())["executions"])
