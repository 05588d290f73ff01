"""Exports over HTTP: asked for, watched, listed, ended."""

from __future__ import annotations

from tests.support.api import BODY, Call


def test_an_export_is_asked_for_and_watched(api: Call) -> None:
    made = api("POST", "/exports", body=BODY)
    assert (made.status, made.json["status"], made.json["percent"]) == (202, "SUBMITTED", 0)
    assert made.headers["location"] == made.json["links"]["self"]
    seen = api("GET", f"/exports/{made.json['export_id']}")
    assert (seen.status, seen.json) == (200, made.json)
    assert [each["export_id"] for each in api("GET", "/exports").json["exports"]] == [made.json["export_id"]]
