"""Who may what: every route of the OpenAPI document, for its owner, another user, an admin, and nobody."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from cutline.service.webhook_events import event_of_end
from cutline.service.webhook_sending import announce
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.records import Records
from tests.support.api import ADMIN, ANNA, BEN, BODY, MACHINE, Answer, Call, answer_to, call, claims_of, event_of
from tests.support.destinations import BUCKET, KEYS, Place
from tests.support.exports import keys, make_cog, make_export

PRESET = {"source": {"scenes": ["s3://scenes/a.tif"]}, "process": "ndvi"}
WEBHOOK = {"url": "https://8.8.8.8/in"}
BODIES: dict[str, Any] = {
    # operation -> a body that it takes
    "submitExport": BODY,
    "estimateExport": BODY,
    "createUpload": {"filename": "field.zip"},
    "putPreset": PRESET,
    "createLink": {},
    "createDestination": {"name": "bucket", "settings": BUCKET, "secret": KEYS},
    "changeDestination": {"name": "another"},
    "authorizeDestination": {"code": "from-dropbox"},
    "createWebhook": WEBHOOK,
    "changeWebhook": {"enabled": True},
    "changePreferences": {"attach": True},
}
PUBLIC = {"getHealth", "getConfig", "openLink", "headLink"}
FOUND_BY_OWNER = {"name", "destination_id", "webhook_id"}
"""Parameters of what not even an admin sees"""
OWN = {"putPreset"}
"""Makes something of the caller's own under the name"""
UNKNOWN = {
    "export_id": "0" * 24,
    "upload_id": "0" * 24,
    "name": "nothing",
    "destination_id": "0" * 24,
    "link_id": "0" * 24,
    "token": "0" * 56,
    "webhook_id": "0" * 24,
    "number": "7",
}


METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")
"""In an order in which each finds what it needs"""


class Route(NamedTuple):
    method: str
    path: str
    operation: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.operation["operationId"])

    @property
    def parameter(self) -> str | None:
        found = re.findall(r"\{(\w+)\}", self.path)
        return found[0] if found else None

    def call(self, names: dict[str, str], **how: Any) -> Answer:
        body = BODIES.get(self.id)
        if self.id == "deliverExport":
            body = {"kind": "destination", "destination_id": names["destination_id"]}
        return call(self.method, self.path.format(**names), body=body, **how)


@pytest.fixture
def routes(api: Call) -> list[Route]:
    """All that the document has."""
    paths = api("GET", "/openapi.json").json["paths"]
    found = [Route(method.upper(), path, each) for path, methods in paths.items() for method, each in methods.items()]
    # A part goes before the whole.
    return sorted(found, key=lambda route: (METHODS.index(route.method), -route.path.count("/")))


@pytest.fixture
def annas(api: Call, aws: ServiceSettings, place: Place) -> dict[str, str]:
    """One of each thing that has a path, all of them ANNA's."""
    export = make_cog(aws, make_export("a" * 24, owner=ANNA, status="PENDING"))
    webhook = api("POST", "/webhooks", body=WEBHOOK).json["webhook_id"]
    announce(export.owner, event_of_end(Records(aws.table).move(export, "SUCCESS")))
    upload = api("POST", "/uploads", body={"filename": "field.zip"}).json["upload_id"]
    api("PUT", "/presets/ndvi-weekly", body=PRESET)
    link = api("POST", f"/exports/{export.export_id}/links", body={}).json
    home = api("POST", "/destinations", body={"name": "home", "settings": {"kind": "dropbox"}}).json["destination_id"]
    return {
        "export_id": export.export_id,
        "upload_id": upload,
        "name": "ndvi-weekly",
        "destination_id": home,
        "link_id": link["link_id"],
        "token": link["url"].rpartition("/")[2],
        "webhook_id": webhook,
        "number": "1",
    }


def everything(aws: ServiceSettings) -> Any:
    """All that AWS keeps of the service."""
    from cutline.store.clients import client

    items = client("dynamodb").scan(TableName=aws.table)["Items"]
    return sorted(map(str, items)), keys(aws.exports_bucket), keys(aws.work_bucket), keys(aws.inbox_bucket)


def test_what_is_anothers_is_as_if_it_were_not(
    annas: dict[str, str], routes: list[Route], aws: ServiceSettings
) -> None:
    for route in routes:
        name = route.parameter
        if name is None or route.id in PUBLIC:
            continue
        before = everything(aws)
        for who in (BEN, MACHINE):
            answer = route.call(annas, who=who)
            if route.id in OWN:
                assert (answer.status, answer.json["name"]) == (200, annas["name"]), route.id
                assert call("DELETE", "/presets/ndvi-weekly", who=who).status == 204
            else:
                unknown = route.call(UNKNOWN, who=who)
                assert (answer.status, unknown.status) == (404, 404), route.id
                assert answer.text.replace(annas[name], "…") == unknown.text.replace(UNKNOWN[name], "…"), route.id
                assert answer.headers == unknown.headers, route.id
            assert everything(aws) == before, route.id


def test_its_owner_and_an_admin_get_an_answer(annas: dict[str, str], routes: list[Route]) -> None:
    for route in routes:
        if route.parameter is None:
            continue
        owners = route.parameter in FOUND_BY_OWNER or route.method == "DELETE"
        for who in (ANNA,) if owners else (ANNA, ADMIN):
            answer = route.call(annas, who=who)
            assert answer.status in {200, 201, 202, 204, 307, 409}, (route.id, who, answer)


def test_nobody_gets_in_without_a_token_of_this_api(
    annas: dict[str, str], routes: list[Route], aws: ServiceSettings
) -> None:
    before = everything(aws)
    for route in routes:
        nobody = route.call({**annas, "token": UNKNOWN["token"]}, who=None)
        if route.id in PUBLIC:
            assert route.operation["security"] == [], route.id
            assert nobody.status == (404 if route.parameter else 200), route.id
            continue
        assert route.operation["security"] == [{"oauth2": ["cutline/exports"]}, {"bearer": []}], route.id
        assert (nobody.status, nobody.json["code"]) == (401, "unauthenticated"), route.id
        assert nobody.headers["www-authenticate"] == "Bearer", route.id
        for wrong in ({"scope": "openid"}, {"scope": ""}, {"token_use": "id"}, {"scope": "cutline/exports.read"}):
            refused = route.call(annas, claims=claims_of(ANNA) | wrong)
            assert (refused.status, refused.json["code"]) == (403, "access-denied"), (route.id, wrong)
    assert everything(aws) == before


def test_lists_show_ones_own_alone(annas: dict[str, str]) -> None:
    for name in ("exports", "uploads", "presets", "destinations"):
        assert len(call("GET", f"/{name}").json[name]) == 1
        assert call("GET", f"/{name}", who=BEN).json[name] == []


def test_an_admin_lists_anybodys_exports_and_others_their_own(api: Call, aws: ServiceSettings) -> None:
    for number, (owner, status) in enumerate([(ANNA, "ERROR"), (BEN, "SUCCESS"), (ANNA, "SUCCESS"), (ADMIN, "ERROR")]):
        Records(aws.table).move(make_export(f"{number:024}", owner=owner), status)

    def listed(owner: str, **query: str) -> list[tuple[str, str]]:
        found, more = [], {}
        while True:
            page = api("GET", "/exports", who=ADMIN, query={"owner": owner, **query, **more}).json
            found += [(each["owner"], each["status"]) for each in page["exports"]]
            if page["cursor"] is None:
                return found
            more = {"cursor": page["cursor"]}

    everybodys = sorted([(ANNA, "ERROR"), (BEN, "SUCCESS"), (ANNA, "SUCCESS"), (ADMIN, "ERROR")])
    for limit in ("1", "2", "3", "4", "100"):
        assert sorted(listed("*", limit=limit)) == everybodys, "each once, however long the pages are"
    assert sorted(listed("*", status="SUCCESS", limit="1")) == [(ANNA, "SUCCESS"), (BEN, "SUCCESS")]
    assert listed(ANNA) == listed(ANNA, limit="1") and {owner for owner, _ in listed(ANNA)} == {ANNA}
    assert listed(ADMIN) == [(ADMIN, "ERROR")] and listed("nobody") == []
    assert [each["owner"] for each in api("GET", "/exports", who=ADMIN).json["exports"]] == [ADMIN]
    assert {each["owner"] for each in api("GET", "/exports", query={"owner": ANNA}).json["exports"]} == {ANNA}
    for owner in (BEN, "*", "nobody"):
        refused = api("GET", "/exports", query={"owner": owner})
        assert (refused.status, refused.json["code"]) == (403, "access-denied"), owner
    for wrong in ("a b", "a#b", "**", "x" * 129):
        refused = api("GET", "/exports", who=ADMIN, query={"owner": wrong})
        assert (refused.status, refused.json["parameter"]) == (422, "owner"), wrong
    for cursor in ("x", "é", "....", "WzEsMl0", "WyJhIiwiYiIsImMiXQ"):
        refused = api("GET", "/exports", who=ADMIN, query={"owner": "*", "cursor": cursor})
        assert (refused.status, refused.json["code"]) == (422, "invalid-request"), cursor


def test_everybodys_newest_come_first(api: Call, aws: ServiceSettings) -> None:
    records = [make_export(f"{number:024}", owner=ANNA if number % 2 else BEN) for number in range(3)]
    for record, minute in zip(records, (1, 3, 2), strict=True):
        changed = record.model_copy(update={"updated_at": record.created_at.replace(year=2030, minute=minute)})
        client("dynamodb").put_item(TableName=aws.table, Item=Records(aws.table).item(changed))
    page = api("GET", "/exports", who=ADMIN, query={"owner": "*"}).json["exports"]
    assert [int(each["export_id"]) for each in page] == [1, 2, 0]


def test_anothers_cursor_shows_nothing_of_them(api: Call, aws: ServiceSettings) -> None:
    for number in range(3):
        make_export(f"{number:024}", owner=ANNA)
    cursor = api("GET", "/exports", query={"limit": "1"}).json["cursor"]
    assert api("GET", "/exports", who=BEN, query={"cursor": cursor}).json == {"exports": [], "cursor": None}


def test_one_request_leaves_nobody_signed_in_for_the_next(annas: dict[str, str]) -> None:
    assert call("GET", "/me").json["sub"] == ANNA
    assert call("GET", "/me", who=None).status == 401
    assert call("GET", "/me", who=BEN).json["sub"] == BEN
    assert call("GET", "/nowhere", who=None).status == 401  # what there is, only those learn who are known


@pytest.mark.parametrize("groups", ["admin", "admin,staff", "[staff admin]", ["admin"]])
def test_groups_come_in_several_forms(api: Call, groups: Any) -> None:
    assert api("GET", "/me", claims=claims_of(ANNA) | {"cognito:groups": groups}).json["admin"]


@pytest.mark.parametrize("groups", ["administrators", "not-admin", "", None])
def test_similar_groups_are_no_admins(api: Call, groups: Any) -> None:
    assert not api("GET", "/me", claims=claims_of(ANNA) | {"cognito:groups": groups}).json["admin"]


def test_events_without_claims_are_nobodys(api: Call) -> None:
    for authorizer in (None, {}, {"claims": None}, {"principalId": "x"}):
        event = event_of("GET", "/me")
        event["requestContext"]["authorizer"] = authorizer
        assert answer_to(event).status == 401
