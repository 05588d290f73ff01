"""Files of finished exports, and the addresses that lead to them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

from cutline.errors import NotFound, RateLimited
from cutline.service.downloads import content_disposition, described, redirect
from cutline.service.problems import RangeNotSatisfiable
from cutline.service.sharing import share
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.metering import Traffic
from tests.support.exports import COG, make_cog, make_export


def test_an_address_leads_to_the_file_under_its_name(aws: ServiceSettings) -> None:
    record = make_cog(aws, make_export(status="SUCCESS"))
    link = urlsplit(redirect(record, "cog", by="anna"))
    asked = parse_qs(link.query)
    assert link.path == "/anna/e1/north%20field.tif"
    assert asked["X-Amz-Expires"] == ["900"]
    assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    [disposition] = asked["response-content-disposition"]
    assert disposition == "attachment; filename=\"north field.tif\"; filename*=UTF-8''north%20field.tif"
    assert urlsplit(redirect(record, "item", by="anna")).path == "/anna/e1/north%20field.json"


def test_an_address_works(aws_server: ServiceSettings) -> None:
    record = make_cog(aws_server, make_export(status="SUCCESS"))
    where = redirect(record, "cog", by="anna")
    with urlopen(where) as answer:  # noqa: S310 - our own server's
        assert answer.read() == COG
        assert 'filename="north field.tif"' in answer.headers["Content-Disposition"]
    with urlopen(Request(where, headers={"Range": "bytes=2-5"})) as answer:  # noqa: S310
        assert answer.read() == COG[2:6]


def test_there_is_none_before_there_is_a_file(aws: ServiceSettings) -> None:
    with pytest.raises(NotFound, match="it is RENDERING"):
        redirect(make_export(status="RENDERING"), "cog", by="anna")


@pytest.mark.parametrize(
    ("ranged", "nbytes"),
    [
        (None, len(COG)),
        ("bytes=0-0", 1),
        ("bytes=2-5", 4),
        ("bytes=5-", len(COG) - 5),
        ("bytes=-3", 3),
        ("bytes=-3000", len(COG)),
        ("bytes=0-99999", len(COG)),
        ("bytes=0-1,5-6", len(COG)),
        ("bytes= 0-9", len(COG)),
        ("bytes=-", len(COG)),
        ("bytes=9-1", len(COG)),
        ("bytes=0-" + "9" * 5000, len(COG)),
        ("lines=1-2", len(COG)),
    ],
)
def test_what_is_asked_for_is_set_aside(aws: ServiceSettings, ranged: str | None, nbytes: int) -> None:
    record = make_cog(aws, make_export(status="SUCCESS"))
    redirect(record, "cog", by="anna", ranged=ranged)
    account = Traffic(aws.table, bytes_a_month=10**9).account("anna", record.created_at)
    assert (account.used, account.total) == (0, nbytes)


@pytest.mark.parametrize("ranged", [f"bytes={len(COG)}-", "bytes=999999999-", "bytes=-0"])
def test_a_range_behind_the_end_leads_nowhere(aws: ServiceSettings, ranged: str) -> None:
    record = make_cog(aws, make_export(status="SUCCESS"))
    with pytest.raises(RangeNotSatisfiable, match=f"which has {len(COG)}"):
        redirect(record, "cog", by="anna", ranged=ranged)


def test_of_a_link_with_a_budget_no_more_is_fetched_than_was_set_aside(aws_server: ServiceSettings) -> None:
    record = make_cog(aws_server, make_export(status="SUCCESS"))
    link, _ = share(record, by="anna", max_bytes=10)
    where = redirect(record, "cog", by="link", link=link, ranged="bytes=0-8")
    assert signed_headers(where) == "host;range"
    with urlopen(Request(where, headers={"Range": "bytes=0-8"})) as answer:  # noqa: S310 - our own server's
        assert answer.read() == COG[:9]
    unlimited, _ = share(record, by="anna", max_downloads=1)
    assert signed_headers(redirect(record, "cog", by="x", link=unlimited, ranged="bytes=0-8")) == "host"


def test_where_the_month_has_less_than_the_file_an_address_is_for_its_range(
    aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_cog(aws, make_export(status="SUCCESS"))
    monkeypatch.setenv("CUTLINE_LIMITS", f'{{"bytes_a_month": {len(COG) + 1}}}')
    piece = "bytes=0-0"
    for signed in ("host", "host", "host;range"):
        assert signed_headers(redirect(record, "cog", by="anna", ranged=piece)) == signed
    for at in range(len(COG) - 2):  # the rest of the month, byte by byte
        redirect(record, "cog", by="anna", ranged=f"bytes={at}-{at}")
    with pytest.raises(RateLimited):  # it is full to the last byte
        redirect(record, "cog", by="anna", ranged=piece)


def signed_headers(where: str) -> str:
    return parse_qs(urlsplit(where).query)["X-Amz-SignedHeaders"][0]


def test_what_a_get_would_bring_is_told_by_s3_itself(aws_server: ServiceSettings) -> None:
    record = make_cog(aws_server, make_export(status="SUCCESS"))
    where = described(record, "cog")
    assert "x-amz-checksum-mode=ENABLED" in where
    assert signed_headers(where) == "host"  # nothing but the address has to be sent
    with urlopen(Request(where, method="HEAD")) as answer:  # noqa: S310 - our own server's
        told = answer.headers
    known = client("s3").head_object(Bucket=aws_server.exports_bucket, Key="anna/e1/north field.tif")
    assert (told["Content-Length"], told["Accept-Ranges"], told["ETag"]) == (str(len(COG)), "bytes", known["ETag"])
    assert "response-content-disposition=attachment%3B%20filename%3D%22north%20field.tif" in where


@pytest.mark.parametrize(
    ("name", "plain", "encoded"),
    [
        ("Führich – Süd.tif", "Fuhrich  Sud.tif", "F%C3%BChrich%20%E2%80%93%20S%C3%BCd.tif"),
        ('a"b\\c\r\nX: y.tif', "a_b_c__X_ y.tif", "a%22b%5Cc%0D%0AX%3A%20y.tif"),
        ("東京.tif", "export.tif", "%E6%9D%B1%E4%BA%AC.tif"),
        ("../../etc/passwd.tif", "_.._etc_passwd.tif", "..%2F..%2Fetc%2Fpasswd.tif"),
    ],
)
def test_names_by_rfc_6266(name: str, plain: str, encoded: str) -> None:
    assert content_disposition(name) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
