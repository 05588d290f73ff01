"""Downloads by redirects, and share links that need no account."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cutline.models.record import ExportRecord
from cutline.models.traffic import LinkRecord, Ticket
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.items import plain
from cutline.store.links import Links
from cutline.store.records import Records, export_key
from tests.support.api import ANNA, BEN, Answer, Call, call
from tests.support.exports import COG, make_cog, make_export

PATH = f"/exports/{'a' * 24}"


@pytest.fixture
def api(aws: ServiceSettings) -> Call:
    """Nothing is started here, so there is no state machine, which takes its time to make."""
    return call


def noted(table: str) -> list[str]:
    """What the export's events say that ANNA did."""
    return [event.what for event in Records(table).events("a" * 24) if event.by == ANNA]


@pytest.fixture
def export(api: Call, aws: ServiceSettings) -> ExportRecord:
    """ANNA's, finished."""
    record = make_cog(aws, make_export("a" * 24, owner=ANNA))
    return Records(aws.table).move(record, "SUCCESS")


def limit(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", str(limits).replace("'", '"'))


def share(api: Call, **wanted: Any) -> tuple[str, dict[str, Any]]:
    """The path of a new link, and what its owner was told."""
    answer = api("POST", f"{PATH}/links", body=wanted)
    assert answer.status == 201, answer
    return urlsplit(answer.json["url"]).path, answer.json


def anybody(api: Call, path: str, **how: Any) -> Answer:
    return api(how.pop("method", "GET"), path, who=None, **how)


# Downloads ---------------------------------------------------------------------------------------------------------


def test_a_head_leads_to_who_tells_what_a_get_would_bring(api: Call, export: ExportRecord) -> None:
    answer = api("HEAD", f"{PATH}/download")
    assert (answer.status, answer.text) == (307, "")
    assert answer.headers["x-amz-checksum-crc64nvme"] == "AAAAAAAAAAA="
    assert "content-length" not in answer.headers  # API Gateway would make it that of this answer
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert urlsplit(answer.headers["location"]).path.endswith("north%20field.tif")
    item = api("HEAD", f"{PATH}/download", query={"asset": "item"})
    assert urlsplit(item.headers["location"]).path.endswith("north%20field.json")
    assert api("GET", "/usage").json["this_month"]["bytes_reserved"] == 0


def test_a_file_that_is_gone_is_no_redirect_to_nothing(api: Call, export: ExportRecord, aws: ServiceSettings) -> None:
    client("s3").delete_object(Bucket=aws.exports_bucket, Key=f"{ANNA}/{'a' * 24}/north field.tif")
    for method in ("GET", "HEAD"):
        assert api(method, f"{PATH}/download").status == 404


def test_the_ticket_is_signed_with_the_address(api: Call, export: ExportRecord) -> None:
    where = urlsplit(api("GET", f"{PATH}/download").headers["location"])
    query = parse_qs(where.query)
    assert Ticket.read(query["x-cutline-ticket"][0])
    assert query["X-Amz-Expires"] == ["900"] and query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert "filename" in query["response-content-disposition"][0]


def test_who_asks_too_often_waits(api: Call, export: ExportRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, downloads_a_minute=1, downloads_in_a_row=2)
    assert [api("GET", f"{PATH}/download").status for _ in range(3)] == [307, 307, 429]
    refused = api("GET", f"{PATH}/download")
    assert refused.json["code"] == "rate-limited"
    assert 55 <= int(refused.headers["retry-after"]) <= 60
    assert api("HEAD", f"{PATH}/download").status == 307


def test_a_month_has_so_many_bytes(api: Call, export: ExportRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, bytes_a_month=2 * len(COG) + 5)
    assert [api("GET", f"{PATH}/download").status for _ in range(2)] == [307, 307]
    refused = api("GET", f"{PATH}/download")
    assert (refused.status, "5 that are left" in refused.json["detail"]) == (429, True)
    assert 0 < int(refused.headers["retry-after"]) <= 6 * 3600  # what is set aside comes back
    piece = {"Range": "bytes=0-4"}
    assert api("GET", f"{PATH}/download", headers=piece).status == 307
    assert api("GET", f"{PATH}/download", headers=piece).status == 429


@pytest.mark.parametrize("ranged", ["bytes=0-1,5-6", "bytes=9-1", "x" * 3000, "=,;"])
def test_ranges_that_are_none_ask_for_the_whole(api: Call, export: ExportRecord, ranged: str) -> None:
    path, _ = share(api)
    assert anybody(api, path, headers={"Range": ranged}).status == 307
    assert api("GET", "/usage").json["this_month"]["bytes_reserved"] == len(COG)


def test_a_range_behind_the_end_is_told_how_long_the_file_is(api: Call, export: ExportRecord) -> None:
    path, told = share(api)
    for refused in (
        api("GET", f"{PATH}/download", headers={"Range": "bytes=99999-"}),
        anybody(api, path, headers={"Range": "bytes=99999-"}),
    ):
        assert (refused.status, refused.json["code"]) == (416, "range-not-satisfiable")
        assert refused.headers["content-range"] == f"bytes */{len(COG)}"
    assert api("GET", f"{PATH}/links/{told['link_id']}").json["downloads"] == 0


def test_a_file_larger_than_a_month_is_told_so(
    api: Call, export: ExportRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, bytes_a_month=3)
    refused = api("GET", f"{PATH}/download")
    assert (refused.status, "whole month" in refused.json["detail"]) == (429, True)
    assert "retry-after" not in refused.headers


# Share links -------------------------------------------------------------------------------------------------------


def test_whoever_has_a_link_may(api: Call, export: ExportRecord) -> None:
    path, told = share(api)
    answer = anybody(api, path)
    ticket = Ticket.read(parse_qs(urlsplit(answer.headers["location"]).query)["x-cutline-ticket"][0])
    assert (answer.status, answer.text) == (307, "")
    assert ticket is not None and ticket.link_id == told["link_id"]
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    head = anybody(api, path, method="HEAD")
    assert (head.status, "x-cutline-ticket" in head.headers["location"]) == (307, False)
    [seen] = api("GET", f"{PATH}/links").json["links"]
    assert (seen["downloads"], seen["bytes_sent"], seen["bytes_reserved"]) == (1, 0, len(COG))
    assert seen["url"] is None


def test_a_link_may_be_of_the_item(api: Call, export: ExportRecord) -> None:
    path, _ = share(api, file="item")
    assert ".json" in anybody(api, path).headers["location"]


def test_nobody_reads_a_link_in_the_table_or_the_log(
    api: Call, export: ExportRecord, aws: ServiceSettings, caplog: pytest.LogCaptureFixture
) -> None:
    path, told = share(api)
    anybody(api, path)
    secret = path.removeprefix("/l/").removeprefix("a" * 24)
    assert len(secret) == 32
    stored = [plain(item) for item in client("dynamodb").scan(TableName=aws.table)["Items"]]
    assert any(item.get("link_id") == told["link_id"] for item in stored)
    assert secret not in str(stored)
    anybody(api, f"{path}/more")
    assert {"GET /l/…: 307", "GET /l/…: 401"} <= set(caplog.messages)
    assert secret not in caplog.text


def test_a_link_ends(api: Call, export: ExportRecord, aws: ServiceSettings) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    path, told = share(api, expires_at=soon.isoformat())
    assert anybody(api, path).status == 307
    client("dynamodb").update_item(
        TableName=aws.table,
        Key={"pk": {"S": f"EXPORT#{'a' * 24}"}, "sk": {"S": f"LINK#{told['link_id']}"}},
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"S": "2026-01-01T00:00:00Z"}},
    )
    assert anybody(api, path).status == 404


@pytest.mark.parametrize(
    "when", ["2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "2027-01-01", "tomorrow"], ids=["past", "far", "day", "no"]
)
def test_when_a_link_may_end(api: Call, export: ExportRecord, when: str) -> None:
    refused = api("POST", f"{PATH}/links", body={"expires_at": when})
    assert (refused.status, refused.json["pointer"]) == (422, "/expires_at")


def test_a_link_is_for_so_many_downloads(api: Call, export: ExportRecord) -> None:
    path, _ = share(api, max_downloads=2)
    assert [anybody(api, path).status for _ in range(3)] == [307, 307, 404]
    assert anybody(api, path, method="HEAD").status == 307


def test_a_link_is_for_so_many_bytes(api: Call, export: ExportRecord) -> None:
    path, _ = share(api, max_bytes=len(COG) + 3)
    assert anybody(api, path).status == 307
    waits = anybody(api, path)
    assert (waits.status, waits.headers["retry-after"]) == (429, str(6 * 3600))
    small, _ = share(api, max_bytes=3)
    assert anybody(api, small).status == 404


def test_a_links_bytes_are_its_owners(api: Call, export: ExportRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, bytes_a_month=len(COG))
    path, told = share(api)
    assert anybody(api, path).status == 307
    refused = anybody(api, path)
    assert (refused.status, refused.json["detail"]) == (429, "this link gives nothing now; try again later")
    assert "retry-after" in refused.headers
    assert api("GET", f"{PATH}/links/{told['link_id']}").json["downloads"] == 1  # the refused one is not counted


def test_a_link_taken_back_leads_nowhere(api: Call, export: ExportRecord, aws: ServiceSettings) -> None:
    path, told = share(api)
    one = f"{PATH}/links/{told['link_id']}"
    assert (api("DELETE", one).status, api("DELETE", one).status) == (204, 404)
    nowhere = anybody(api, path)
    never = anybody(api, path[:-1] + ("a" if path[-1] != "a" else "b"))
    assert (nowhere.status, never.status) == (404, 404)
    assert nowhere.text == never.text
    for what in ("/l/x", "/l/" + "a" * 56, f"/l/{'a' * 24}#{'b' * 32}", "/l/" + "a" * 2000):
        assert anybody(api, what).status == 404
    assert api("GET", f"{PATH}/links").json == {"links": []}
    assert noted(aws.table) == ["shared", "unshared"]


def test_a_link_goes_with_its_export(api: Call, export: ExportRecord) -> None:
    path, _ = share(api)
    assert api("DELETE", PATH).status == 204
    assert anybody(api, path).status == 404


def test_a_link_to_an_export_that_goes_meanwhile_is_none(
    api: Call, export: ExportRecord, aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cutline.service.api.links._find", lambda _: export)  # it was still there then
    Records(aws.table).delete(export.export_id)
    assert api("POST", f"{PATH}/links", body={}).status == 404
    assert Links(aws.table).of_export(export.export_id) == []


def test_a_link_that_outlived_its_export_says_no_more_than_others(
    api: Call, export: ExportRecord, aws: ServiceSettings
) -> None:
    path, _ = share(api)
    client("dynamodb").delete_item(TableName=aws.table, Key=export_key(export.export_id))
    assert "leads nowhere" in anybody(api, path).json["detail"]


def test_nothing_to_share_yet(api: Call, aws: ServiceSettings) -> None:
    make_export("a" * 24, owner=ANNA)
    assert api("POST", f"{PATH}/links", body={}).status == 409


def test_an_export_has_so_many_links(api: Call, export: ExportRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutline.service.sharing.MOST", 2)
    share(api), share(api)
    assert api("POST", f"{PATH}/links", body={}).status == 413


def test_links_that_are_made_at_once_are_no_more(
    api: Call, export: ExportRecord, aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Links.create

    def beside_another(links: Links, link: LinkRecord) -> None:
        create(links, link.model_copy(update={"link_id": "b" * 24}))
        create(links, link)

    monkeypatch.setattr("cutline.service.sharing.MOST", 1)
    monkeypatch.setattr(Links, "create", beside_another)
    assert api("POST", f"{PATH}/links", body={}).status == 413
    assert [link.link_id for link in Links(aws.table).of_export(export.export_id)] == ["b" * 24]


def test_links_are_their_owners(api: Call, export: ExportRecord) -> None:
    _, told = share(api)
    for method, path in (("GET", f"{PATH}/links"), ("GET", f"{PATH}/links/{told['link_id']}")):
        assert api(method, path, who=BEN).status == 404
    assert api("DELETE", f"{PATH}/links/{told['link_id']}", who=BEN).status == 404
    assert api("POST", f"{PATH}/links", body={}, who=BEN).status == 404
