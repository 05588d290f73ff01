"""Whatever is wrong, the answer is a problem (RFC 9457) with a stable code, and tells nothing that is ours."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from cutline.errors import CutlineError
from cutline.service.problems import STATUS, problem_of
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.validation import FORMS
from tests.support.api import BODY, Answer, Call, answer_to, event_of


def is_problem(answer: Answer, status: int, code: str) -> bool:
    told = answer.json
    assert answer.headers["content-type"] == "application/problem+json"
    assert told.keys() >= {"type", "title", "status", "detail", "code"}
    assert "Traceback" not in answer.text and ".py" not in answer.text
    return bool((answer.status, told["status"], told["code"]) == (status, status, code))


BODIES: dict[str, tuple[Any, int, str]] = {
    # what is sent, status, code
    "cut off": ('{"source": ', 400, "malformed-json"),
    "not JSON": ("<xml/>", 400, "malformed-json"),
    "two values": ("{} {}", 400, "malformed-json"),
    "no number": ('{"max_cost": NaN}', 400, "malformed-json"),
    "endless": ('{"max_cost": Infinity}', 400, "malformed-json"),
    "too many digits": ('{"max_cost": ' + "9" * 5000 + "}", 400, "malformed-json"),
    "half a character": ('{"name": "\\ud800"}', 400, "malformed-json"),
    "too deep for Python": ("[" * 100_000, 400, "malformed-json"),
    "too deep for us": ('{"aoi": ' + '{"a":' * 200 + "1" + "}" * 201, 400, "malformed-json"),
    "too long": (" " * (6 << 20), 413, "too-large"),
    "nothing": ("null", 422, "invalid-request"),
    "a list": ("[]", 422, "invalid-request"),
    "a text": ('"x"', 422, "invalid-request"),
    "empty": ("{}", 422, "invalid-request"),
}


def test_bodies_that_are_none(api: Call) -> None:
    for path in ("/exports", "/exports/estimate"):
        for which, (body, status, code) in BODIES.items():
            assert is_problem(api("POST", path, body=body), status, code), which


def test_no_body_at_all(api: Call) -> None:
    assert is_problem(api("POST", "/exports"), 422, "invalid-request")


def test_other_media_types(api: Call) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x"):
        answer = api("POST", "/exports", body=json.dumps(BODY), headers={"Content-Type": kind})
        assert is_problem(answer, 415, "unsupported-media-type"), kind


def test_json_may_say_its_charset_and_come_in_base64(api: Call) -> None:
    event = event_of("POST", "/exports", body=BODY, headers={"Content-Type": "application/json; charset=utf-8"})
    event |= {"body": base64.b64encode(event["body"].encode()).decode(), "isBase64Encoded": True}
    assert answer_to(event).status == 202
    for wrong in (base64.b64encode(b"\xff\xfe{}").decode(), "é", "%%%"):
        assert is_problem(answer_to({**event, "body": wrong}), 400, "malformed-json")


def test_paths_and_methods_that_are_not_there(api: Call) -> None:
    for path in ("/", "/nowhere", "/exports/a/b/c", "/exports/a/tiles/b", "//", "/../me"):
        assert is_problem(api("GET", path), 404, "not-found")
    refused = api("PUT", "/exports")
    assert is_problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, POST"
    assert api("GET", "/exports/estimate").headers["allow"] == "POST"
    assert api("PATCH", "/exports/abc").headers["allow"] == "DELETE, GET"


def test_ids_that_are_none(api: Call) -> None:
    for export_id in ("0" * 24, "x" * 64, "x" * 65, "x" * 4000, "META", "é", "a#b", "%00", "estimates"):
        for part in ("", "/tiles", "/audit", "/logs", "/download"):
            assert is_problem(api("GET", f"/exports/{export_id}{part}"), 404, "not-found"), export_id


FIELDS: dict[str, tuple[dict[str, Any], str, str]] = {
    # changes to a body, pointer, part of the detail
    "unknown": ({"foo": 1}, "/foo", "no such field"),
    "unknown, inside": ({"output": {"a/b~c": 1}}, "/output/a~1b~0c", "no such field"),
    "scene's type": ({"source": {"scenes": [5]}}, "/source/scenes/0", "should be a text"),
    "band's file": (
        {"source": {"scenes": ["s3://scenes/a.tif", {"red": 7}]}},
        "/source/scenes/1/red",
        "should be a text",
    ),
    "no scenes": ({"source": {"scenes": []}}, "/source/scenes", "at least 1"),
    "two sources": ({"source": {"scenes": ["x"], "stac": {"url": "y"}}}, "/source", "choose one"),
    "limit": ({"source": {"stac": {"url": "https://a.example.org", "limit": 0}}}, "/source/stac/limit", "greater"),
    "missing": ({"source": {"stac": {}}}, "/source/stac/url", "required"),
    "profile": ({"output": {"profile": "gif"}}, "/output/profile", "deflate"),
    "a number as text": ({"output": {"resolution": "10"}}, "/output/resolution", "number"),
    "resolution": ({"output": {"resolution": 0}}, "/output/resolution", "greater than 0"),
    "name": ({"name": "a/b"}, "/name", "letters and digits, with"),
    "name with a line": ({"name": "a\nb"}, "/name", "letters and digits, with"),
    "neither text nor object": ({"process": 5}, "/process", "process: should be a text or an object"),
    "too long an index": ({"process": "x" * 101}, "/process", "process: has more than 100 characters"),
    "too many scenes": ({"source": {"scenes": ["x"] * 1001}}, "/source/scenes", "1001 entries; 1000 are allowed"),
    "no list": ({"bands": {}}, "/bands", "should be a list"),
    "no object": ({"output": 5}, "/output", "should be an object"),
    "no kind": ({"deliveries": [{}]}, "/deliveries/0", "whose 'kind' says"),
    "two processes": ({"process": "ndvi", "bands": ["red"]}, "", "choose one"),
    "two areas": ({"aoi_href": "s3://x/y"}, "", "choose one"),
    # and those that the engine finds
    "index": ({"process": "nonsense"}, "/process", "nonsense"),
    "graph": ({"process": {"a": {"process_id": "nope", "result": True}}}, "/process/a", "nope"),
    "index, unlike any": ({"process": "nope"}, "/process", "there are NDVI, EVI"),
    "process, unlike any": ({"process": {"a": {"process_id": "zzz", "result": True}}}, "/process/a", "there are load"),
    "crs that goes on behind a NUL": ({"output": {"crs": "EPSG:4326\u0000; rm"}}, "/output/crs", "unprintable"),
    "scale beyond floats": ({"output": {"dtype": "uint8", "scale": 1e-310}}, "/output/scale", "between 1e-30 and"),
    "port": ({"source": {"scenes": ["https://h:99999/x.tif"]}}, "/source/scenes/0", "a port is 1 to 65535"),
    "expression": ({"expression": "red +"}, "/expression", "Column"),
    "area": ({"aoi": {"type": "Point", "coordinates": [1, 2]}}, "/aoi", "polygons"),
    "area's numbers": ({"aoi": {"type": "Polygon", "coordinates": [[["a", 1]]]}}, "/aoi", "position"),
    "percentiles": ({"source": {**BODY["source"], "stretch": [98, 2]}}, "/source/stretch", "lower one first"),
    "time": ({"source": {**BODY["source"], "datetime": "June"}}, "/source/datetime", "START/END"),
    "local file": ({"source": {"scenes": ["/etc/passwd"]}}, "/source/scenes/0", "no address"),
    "local address": ({"source": {"scenes": ["file:///etc/passwd"]}}, "/source/scenes/0", "no address"),
    "another scheme": ({"source": {"scenes": ["ftp://a.example.org/x.tif"]}}, "/source/scenes/0", "no address"),
    "GDAL's path": ({"source": {"scenes": ["/vsicurl/http://x"]}}, "/source/scenes/0", "no address"),
    "colour": ({"process": "ndvi", "color": "shine RGB 2"}, "/color", "shine"),
    "other bucket": ({"source": {"scenes": ["s3://other/a.tif"]}}, "/source/scenes/0", "not read from s3://other"),
    "like": ({"output": {"like": "https://evil.test/a.tif"}}, "/output/like", "not read from https://evil.test"),
}


def test_pointers_lead_to_what_is_wrong(api: Call) -> None:
    for which, (changes, pointer, detail) in FIELDS.items():
        answer = api("POST", "/exports", body=BODY | changes)
        assert answer.status == 422, (which, answer)
        assert (answer.json.get("pointer", ""), detail in answer.json["detail"]) == (pointer, True), (which, answer)
        assert "--" not in answer.json["detail"], (which, answer)


def test_alternatives_of_one_field_are_one_thing(api: Call) -> None:
    for changes in ({"process": 5}, {"source": {"scenes": [5]}}, {"output": {"nodata": "x"}}):
        assert "errors" not in api("POST", "/exports", body=BODY | changes).json, changes


def test_a_parameter_that_is_given_twice(api: Call) -> None:
    event = event_of("GET", "/exports", query={"limit": "6"})
    event["multiValueQueryStringParameters"] = {"limit": ["5", "6"]}
    told = answer_to(event).json
    assert (told["detail"], told["parameter"]) == ("limit: is given twice; once is enough", "limit")


def test_every_pattern_has_words(api: Call) -> None:
    patterns = set(re.findall(r'"pattern": "((?:[^"\\\\]|\\\\.)*)"', api("GET", "/openapi.json", who=None).text))
    assert {json.loads(f'"{each}"') for each in patterns} == FORMS.keys()


def test_python_does_not_speak(api: Call) -> None:
    for body in ('{"max_cost": ' + "9" * 5000 + "}", "[" * 100_000):
        told = api("POST", "/exports", body=body).json["detail"]
        assert "sys." not in told and "recursion" not in told
        assert "allowed" in told or "levels deep" in told


def test_several_things_are_told_at_once(api: Call) -> None:
    answer = api("POST", "/exports", body={"foo": 1, "name": 5, "output": {"level": 0}})
    assert {each["pointer"] for each in answer.json["errors"]} == {"/foo", "/name", "/output/level"}


def test_what_is_unexpected_stays_in_the_log(api: Call, aws: ServiceSettings, caplog: pytest.LogCaptureFixture) -> None:
    client("dynamodb").delete_table(TableName=aws.table)
    answer = api("GET", "/exports")
    assert is_problem(answer, 500, "internal-error")
    assert answer.json["request_id"] == "request-1"
    assert aws.table not in answer.text and "ResourceNotFound" not in answer.text
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.exc_info and "ResourceNotFoundException" in str(told.exc_info[1])


@pytest.mark.parametrize("broken", [{}, {"path": None}, {"headers": None, "requestContext": {}}, {"body": 5}])
def test_events_that_are_none(api: Call, broken: dict[str, Any]) -> None:
    event = {} if not broken else event_of("POST", "/exports", body=BODY) | broken
    assert answer_to(event).status in {401, 404, 405, 415, 500}


def every_error(family: type[CutlineError] = CutlineError) -> list[type[CutlineError]]:
    return [family, *(each for child in family.__subclasses__() for each in every_error(child))]


def test_the_table_knows_every_error() -> None:
    for kind in every_error()[1:]:
        told = problem_of(kind("s3://bucket is broken", pointer="/x"), "request-2")
        secret = told.status in (500, 502)
        assert told.code == kind.code and 400 <= told.status < 600
        assert ("bucket" in told.detail, told.pointer, told.request_id) == (
            (False, None, "request-2") if secret else (True, "/x", None)
        )
    assert len(set(STATUS.values())) >= 10


def test_what_aws_has_no_room_for_now_may_be_asked_again(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(_: BaseClient, operation: str, __: Any) -> Any:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", throttled)
    for method, path in (("GET", "/exports"), ("GET", "/me"), ("GET", f"/exports/{'0' * 24}"), ("GET", "/uploads")):
        answer = api(method, path)
        assert is_problem(answer, 503, "transient-error"), path
        assert answer.headers["retry-after"] == "5"


SPACED = "https://exa mple/x.tif"
ITEM = {"type": "Feature", "stac_version": "1.1.0", "id": "x", "properties": {"datetime": "2026-06-01T00:00:00Z"},
        "assets": {"red": {"href": SPACED}}}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"source": {"scenes": [SPACED]}}, "/source/scenes/0"),
        ({"source": {"scenes": [{"red": SPACED}]}}, "/source/scenes/0"),
        ({"source": {"scenes": [ITEM]}}, "/source/scenes/0"),
        ({"output": {"like": SPACED}}, "/output/like"),
    ],
)
def test_a_host_that_cannot_be_one_is_the_users_mistake(api: Call, changed: dict[str, Any], pointer: str) -> None:
    for path in ("/exports", "/exports/estimate"):
        answer = api("POST", path, body=BODY | changed)
        assert answer.status == 422, (path, answer.text)
        assert "exa mple" in answer.json["detail"]
        assert answer.json.get("pointer", pointer).startswith(pointer), answer.text


@pytest.mark.parametrize("cost", [1e-300, 1e-131, 1e200, 0, -1])
def test_costs_that_nobody_could_keep_are_refused(api: Call, cost: float) -> None:
    answer = api("POST", "/exports", body=BODY | {"max_cost": cost})
    assert is_problem(answer, 422, "invalid-request") and answer.json["pointer"] == "/max_cost"


STRAY = ("Wy01LFtdXQ", "W0luZmluaXR5LFtdXQ", "WzEuNSxbXV0", "W3RydWUsW11d", "W10", "x", "é", "W" * 2000)
"""Cursors: [-5,[]], [Infinity,[]], [1.5,[]], [true,[]], [] and no JSON at all"""


def test_cursors_and_functions_that_are_none_are_parameters(api: Call) -> None:
    made = api("POST", "/exports", body=BODY).json["export_id"]
    for path in ("/exports", "/uploads", f"/exports/{made}/logs", f"/exports/{made}/tiles"):
        for cursor in STRAY:
            answer = api("GET", path, query={"cursor": cursor})
            assert is_problem(answer, 422, "invalid-request"), (path, cursor)
            assert (answer.json["parameter"], answer.json.get("pointer")) == ("cursor", None)
    answer = api("GET", f"/exports/{made}/logs", query={"function": "nobody"})
    assert is_problem(answer, 422, "invalid-request") and answer.json["parameter"] == "function"
