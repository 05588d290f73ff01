"""Downloads through the whole service: redirects, share links, and what S3's access logs make of them."""

from __future__ import annotations

import re
import shlex
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.local import Running, eventually, make_area


@pytest.fixture(scope="module")
def export(running: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a finished one."""
    area = make_area(tmp_path_factory.mktemp("area") / "aoi.json")
    return str(running.ended(running.submit(area, 50))["export_id"])


def fetch(url: str, **how: Any) -> requests.Response:
    """As anybody does who has no token."""
    return requests.get(url, timeout=30, **how)


def sent(running: Running, export: str) -> int:
    """Bytes that have left, as far as they are counted."""
    return sum(row["nbytes"] for row in running.get("/usage").json()["rows"] if row["export_id"] == export)


def settled(running: Running, export: str, nbytes: int) -> None:
    """Wait until so many bytes are counted, and no more."""
    eventually(lambda: sent(running, export) >= nbytes, what=f"the log of {nbytes} bytes")
    assert sent(running, export) == nbytes


def test_what_left_is_counted(running: Running, export: str) -> None:
    before, path = sent(running, export), f"/exports/{export}/download"
    head = requests.head(running.ask("HEAD", path).headers["Location"], timeout=30)
    size = int(head.headers["Content-Length"])
    result = running.view(export)["result"]
    assert (head.status_code, head.content) == (200, b"")
    assert (size, head.headers["x-amz-checksum-crc64nvme"]) == (result["nbytes"], result["crc64nvme"])
    assert head.headers["Accept-Ranges"] == "bytes"

    whole = fetch(running.get(path).headers["Location"])
    assert (len(whole.content), whole.headers["ETag"]) == (size, head.headers["ETag"])
    assert whole.headers["Content-Disposition"] == head.headers["Content-Disposition"]
    piece = {"Range": "bytes=100-1099"}
    assert len(fetch(running.get(path, headers=piece).headers["Location"], headers=piece).content) == 1000
    settled(running, export, before + size + 1000)


def test_a_share_link_needs_nothing_but_itself(running: Running, export: str) -> None:
    before = sent(running, export)
    made = running.post(f"/exports/{export}/links", {"max_downloads": 1})
    url = made.json()["url"]
    head = requests.head(url, timeout=30, allow_redirects=True)
    got = fetch(url)
    assert (got.status_code, len(got.content)) == (200, int(head.headers["Content-Length"]))
    assert fetch(url).status_code == 404  # it was for one download
    settled(running, export, before + len(got.content))
    [link] = running.get(f"/exports/{export}/links").json()["links"]
    assert (link["downloads"], link["bytes_sent"], link["bytes_reserved"]) == (1, len(got.content), 0)
    assert running.ask("DELETE", urlsplit(made.headers["Location"]).path).status_code == 204
    assert running.get("/l/" + "x" * 56, None).status_code == 404
    assert running.get("/l/x/y", None).status_code == 401


def test_what_is_set_aside_of_a_budget_is_what_is_fetched(running: Running, export: str) -> None:
    url = running.post(f"/exports/{export}/links", {"max_bytes": 10}).json()["url"]
    assert fetch(url, headers={"Range": "bytes=99999999999-"}).status_code == 416
    where = fetch(url, headers={"Range": "bytes=0-9"}, allow_redirects=False).headers["Location"]
    assert (fetch(where).status_code, fetch(where, headers={"Range": "bytes=0-10"}).status_code) == (403, 403)
    assert len(fetch(where, headers={"Range": "bytes=0-9"}).content) == 10


def test_nobody_changes_for_whom_a_redirect_is(running: Running, export: str) -> None:
    where = running.get(f"/exports/{export}/download").headers["Location"]
    assert fetch(re.sub(r"(x-cutline-ticket=\d)", r"\g<1>0", where)).status_code == 403
    assert fetch(re.sub(r"x-cutline-ticket=[^&]*&", "", where)).status_code == 403
    assert fetch(where).status_code == 200


def test_logs_look_as_s3_writes_them(running: Running, export: str) -> None:
    s3, logs = running.s3(), "cutline-access-logs"
    where = running.get(f"/exports/{export}/download").headers["Location"]
    fetch(where, headers={"User-Agent": 'a "quoted" one'})

    def found() -> list[str]:
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=logs, Prefix="results/").get("Contents", ())]
        text = "".join(s3.get_object(Bucket=logs, Key=key)["Body"].read().decode() for key in keys)
        return [line for line in text.splitlines() if "quoted" in line]

    [line] = eventually(found, what="the log")
    fields = shlex.split(re.sub(r"\[|\]", '"', line))
    assert len(fields) == 26
    assert fields[6:8] == ["REST.GET.OBJECT", urlsplit(where).path.split("/", 2)[2].replace("%", "%25")]
    assert fields[8] == f"GET {where.removeprefix(running.url)} HTTP/1.1"
    assert (fields[9], fields[21]) == ("200", "QueryString")
