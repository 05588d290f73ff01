"""/uploads and /presets, from the form to the export."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from cutline.errors import Conflict
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.records import Records
from cutline.store.uploads import Uploads
from functions.import_aoi import handler as importer
from functions.submit import handler as submitter
from tests.support.api import ADMIN, ANNA, BEN, SQUARE, Call
from tests.support.inbox import created, deliver, put

PRESET = {"source": {"scenes": ["s3://scenes/a.tif"]}, "process": "ndvi", "output": {"resolution": 10}}


def send(form: dict[str, Any], content: Any) -> requests.Response:
    """Send the file as a browser does."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return requests.post(form["url"], data=form["fields"], files={"file": ("field", body)}, timeout=10)


def upload(api: Call, content: Any, **how: Any) -> str:
    """Upload a file and have it read; returns the upload's id."""
    made = api("POST", "/uploads", body={"filename": "North field.geojson", **how})
    assert made.status == 201, made.text
    form = made.json["form"]
    assert send(form, content).status_code == 204
    assert deliver(importer.handler, created(form["fields"]["key"])) == []
    return str(made.json["upload_id"])


def ready() -> list[dict[str, Any]]:
    from cutline.settings import service

    answer = client("sqs").receive_message(QueueUrl=service().ready_queue, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


def test_a_form_for_a_file(api: Call, aws: ServiceSettings) -> None:
    made = api("POST", "/uploads", body={"filename": "../../a b/Nörd field.GeoJSON", "repair": True})
    assert made.status == 201
    view = made.json
    assert made.headers["location"] == f"https://api.example.org/uploads/{view['upload_id']}"
    assert view["state"] == "WAITING"
    assert view["filename"] == "Nord_field.GeoJSON"
    assert view["reading"] == {"layer": None, "where": None, "crs": None, "repair": True}
    fields = view["form"]["fields"]
    assert fields["key"] == f"anna/uploads/{view['upload_id']}/Nord_field.GeoJSON"
    assert fields["Content-Type"] == "application/geo+json"
    policy = decoded(fields["policy"])
    assert ["content-length-range", 1, view["form"]["max_bytes"]] in policy
    assert {"Content-Type": "application/geo+json"} in policy
    assert {"key": fields["key"]} in policy
    assert "geojson" not in view["links"]


def decoded(policy: str) -> Any:
    import base64

    return json.loads(base64.b64decode(policy))["conditions"]


@pytest.mark.parametrize("name", ["a.tif", "a", ".geojson", "a.zip.exe", "a/b"])
def test_other_files_are_not_taken(api: Call, name: str) -> None:
    refused = api("POST", "/uploads", body={"filename": name})
    if name == ".geojson":  # a suffix alone gets a stem of ours
        assert refused.json["filename"] == "area.geojson"
        return
    assert refused.status == 422
    assert refused.json["pointer"] == "/filename"
    assert ".geojson" in refused.json["detail"]


def test_an_area_is_read_and_can_be_exported(api: Call, aws: ServiceSettings) -> None:
    upload_id = upload(api, SQUARE)
    view = api("GET", f"/uploads/{upload_id}").json
    assert view["state"] == "READY"
    assert view["geometry"]["type"] == "MultiPolygon"
    assert view["bounds"] == [13, 50, 13.1, 50.1]
    assert view["area_km2"] == pytest.approx(79.6, abs=0.5)
    assert requests.get(view["links"]["geojson"], timeout=10).json() == view["geometry"]
    assert requests.get(view["links"]["original"], timeout=10).json() == SQUARE
    made = api("POST", "/exports", body={"source": PRESET["source"], "aoi_href": view["aoi_href"]})
    assert made.status == 202, made.text
    others = api("POST", "/exports", body={"source": PRESET["source"], "aoi_href": view["aoi_href"]}, who=BEN)
    assert (others.status, others.json["pointer"]) == (422, "/aoi_href")


def test_a_bad_file_is_refused_in_words(api: Call, aws: ServiceSettings) -> None:
    upload_id = upload(api, {"type": "FeatureCollection", "features": []})
    view = api("GET", f"/uploads/{upload_id}").json
    assert view["state"] == "REJECTED"
    assert [finding["severity"] for finding in view["findings"]] == ["error"]
    assert "geojson" not in view["links"]
    assert view["geometry"] is None


def test_uploads_are_their_owners(api: Call, aws: ServiceSettings) -> None:
    ids = [upload(api, SQUARE) for _ in range(3)]
    page = api("GET", "/uploads", query={"limit": "2"}).json
    rest = api("GET", "/uploads", query={"limit": "2", "cursor": page["cursor"]}).json
    assert {view["upload_id"] for view in [*page["uploads"], *rest["uploads"]]} == set(ids)
    assert api("GET", "/uploads", who=BEN).json["uploads"] == []
    assert api("GET", "/uploads", query={"cursor": page["cursor"]}, who=BEN).json["uploads"] == []
    assert api("GET", f"/uploads/{ids[0]}", who=BEN).status == 404
    assert api("GET", f"/uploads/{ids[0]}", who=ADMIN).status == 200
    assert api("GET", "/uploads", query={"cursor": "none of ours"}).status == 422


def test_presets(api: Call, aws: ServiceSettings) -> None:
    assert api("PUT", "/presets/weekly", body=PRESET).status == 200
    assert api("PUT", "/presets/weekly", body={**PRESET, "process": "ndwi"}).json["body"]["process"] == "ndwi"
    assert api("GET", "/presets/weekly").json["inbox"] == f"s3://{aws.inbox_bucket}/inbox/anna/weekly/"
    assert [preset["name"] for preset in api("GET", "/presets").json["presets"]] == ["weekly"]
    assert api("GET", "/presets", who=BEN).json["presets"] == []
    for who in (BEN, ADMIN):
        assert api("GET", "/presets/weekly", who=who).status == 404
        assert api("DELETE", "/presets/weekly", who=who).status == 404
    assert api("DELETE", "/presets/weekly").status == 204
    assert api("GET", "/presets/weekly").status == 404


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("weekly", {**PRESET, "aoi": SQUARE}, 422),
        ("weekly", {**PRESET, "procces": "ndvi"}, 422),
        ("weekly", {**PRESET, "source": {"scenes": ["https://elsewhere.com/a.tif"]}}, 422),
        ("a.b", PRESET, 422),
        ("x" * 65, PRESET, 422),
        ("weekly", {**PRESET, "expression": "b1", "process": None, "name": "a" * 101}, 422),
    ],
)
def test_presets_that_are_none(api: Call, aws: ServiceSettings, name: str, body: Any, status: int) -> None:
    refused = api("PUT", f"/presets/{name}", body=body)
    assert refused.status == status, refused.text
    assert api("GET", "/presets").json["presets"] == []


@pytest.mark.parametrize("area", [{"aoi": SQUARE}, {"aoi_href": "s3://inbox/anna/aois/a.geojson"}])
def test_a_preset_has_no_area(api: Call, area: dict[str, Any]) -> None:
    refused = api("PUT", "/presets/weekly", body={**PRESET, **area})
    assert (refused.status, refused.json["pointer"]) == (422, f"/{next(iter(area))}")


@pytest.mark.parametrize("crs", ["nonsense", "x" * 5000, "EPSG:4326\0"])
def test_a_crs_that_is_none_is_told_before_the_file_comes(api: Call, aws: ServiceSettings, crs: str) -> None:
    refused = api("POST", "/uploads", body={"filename": "a.zip", "crs": crs})
    assert (refused.status, refused.json["code"], refused.json["pointer"]) == (422, "unsupported-crs", "/crs")
    assert len(refused.json["detail"]) < 300
    assert api("GET", "/uploads").json["uploads"] == []


def test_an_upload_is_exported_by_its_preset(api: Call, aws: ServiceSettings) -> None:
    assert api("POST", "/uploads", body={"filename": "a.zip", "preset": "weekly"}).status == 404
    api("PUT", "/presets/weekly", body=PRESET)
    upload_id = upload(api, SQUARE, preset="weekly")
    messages = ready()
    assert messages == [{"upload_id": upload_id}]
    assert deliver(submitter.handler, *messages, *messages) == []
    view = api("GET", f"/uploads/{upload_id}").json
    record = Records(aws.table).get(view["export_id"])
    assert (record.owner, record.origin, record.name) == ("anna", upload_id, "North_field")
    made = api("GET", f"/exports/{record.export_id}").json
    assert (made["origin"], made["links"]["upload"]) == (upload_id, view["links"]["self"])
    assert view["links"]["export"] == f"https://api.example.org/exports/{record.export_id}"
    assert len(api("GET", "/exports").json["exports"]) == 1


def test_a_preset_that_has_gone_is_told_of(api: Call, aws: ServiceSettings) -> None:
    api("PUT", "/presets/weekly", body=PRESET)
    upload_id = upload(api, SQUARE, preset="weekly")
    api("DELETE", "/presets/weekly")
    assert deliver(submitter.handler, *ready()) == []
    view = api("GET", f"/uploads/{upload_id}").json
    assert view["state"] == "READY"
    assert view["export_id"] is None
    assert view["error"]["code"] == "not-found"
    assert "PUT /presets/weekly" in view["error"]["message"]


def test_a_record_without_its_file_is_not_exported(api: Call, aws: ServiceSettings) -> None:
    """What reads strangers' files can write records, but put no files where their owners do."""
    for who in (ANNA, BEN):
        api("PUT", "/presets/weekly", body=PRESET, who=who)
    mine, forged, gone = (upload(api, SQUARE, preset="weekly") for _ in range(3))
    ready()
    uploads = Uploads(aws.table)
    of_ben = uploads.get(forged).model_copy(update={"owner": BEN})
    uploads.settle(uploads.get(forged), of_ben)
    client("s3").delete_object(Bucket=aws.inbox_bucket, Key=uploads.get(gone).key)
    assert deliver(submitter.handler, *({"upload_id": each} for each in (mine, forged, gone))) == []
    assert uploads.get(mine).export_id
    for each in (forged, gone):
        record = uploads.get(each)
        assert record.export_id is None
        assert record.error and record.error.code == "not-found"


def test_a_full_quota_is_waited_for(api: Call, aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    api("PUT", "/presets/weekly", body=PRESET)
    upload_id = upload(api, SQUARE, preset="weekly")
    messages = ready()
    monkeypatch.setenv("CUTLINE_LIMITS", json.dumps({"exports_at_once": 0}))
    assert deliver(submitter.handler, *messages) == ["0"], "given out again"
    assert api("GET", f"/uploads/{upload_id}").json["error"]["code"] == "rate-limited"
    monkeypatch.delenv("CUTLINE_LIMITS")
    assert deliver(submitter.handler, *messages) == []
    view = api("GET", f"/uploads/{upload_id}").json
    assert view["export_id"]
    assert view["error"] is None


def versions(aws: ServiceSettings) -> list[str]:
    """Keys of all that the inbox has, in whatever version, delete markers too."""
    found = client("s3").list_object_versions(Bucket=aws.inbox_bucket)
    return sorted(each["Key"] for kind in ("Versions", "DeleteMarkers") for each in found.get(kind, ()))


def test_deleted_is_gone_with_its_area(api: Call, aws: ServiceSettings) -> None:
    keeps = upload(api, SQUARE)
    kept = versions(aws)
    upload_id = upload(api, SQUARE)
    path = f"/uploads/{upload_id}"
    aoi_href = api("GET", path).json["aoi_href"]
    made = api("POST", "/exports", body={"source": PRESET["source"], "aoi_href": aoi_href})
    client("s3").put_object(Bucket=aws.inbox_bucket, Key=Uploads(aws.table).get(upload_id).key, Body=b"once more")
    assert api("DELETE", path, who=BEN).status == 404
    gone = api("DELETE", path)  # the running export has the area in its request
    assert (gone.status, gone.text) == (204, "")
    assert versions(aws) == kept
    assert [each["upload_id"] for each in api("GET", "/uploads").json["uploads"]] == [keeps]
    assert api("GET", path).status == api("DELETE", path).status == 404
    assert api("GET", f"/exports/{made.json['export_id']}").status == 200
    refused = api("POST", "/exports", body={"source": PRESET["source"], "aoi_href": aoi_href, "name": "again"})
    assert (refused.status, refused.json["pointer"]) == (422, "/aoi_href")


def test_rejected_and_awaited_uploads_can_be_deleted(api: Call, aws: ServiceSettings) -> None:
    rejected = upload(api, {"type": "FeatureCollection", "features": []})
    awaited = api("POST", "/uploads", body={"filename": "a.zip"}).json["upload_id"]
    for upload_id in (rejected, awaited):
        assert api("DELETE", f"/uploads/{upload_id}").status == 204
    assert versions(aws) == api("GET", "/uploads").json["uploads"] == []


def test_an_import_that_is_under_way_is_waited_for(api: Call, aws: ServiceSettings) -> None:
    made = api("POST", "/uploads", body={"filename": "a.geojson"}).json
    assert send(made["form"], SQUARE).status_code == 204
    refused = api("DELETE", f"/uploads/{made['upload_id']}")
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert "imported" in refused.json["detail"] and len(versions(aws)) == 1


def test_an_export_by_its_preset_is_waited_for(api: Call, aws: ServiceSettings) -> None:
    api("PUT", "/presets/weekly", body=PRESET)
    upload_id = upload(api, SQUARE, preset="weekly")
    path, messages = f"/uploads/{upload_id}", ready()
    refused = api("DELETE", path)
    assert refused.status == 409 and "about to be exported" in refused.json["detail"]
    assert deliver(submitter.handler, *messages) == []
    export_id = api("GET", path).json["export_id"]
    refused = api("DELETE", path)
    assert refused.status == 409 and export_id in refused.json["detail"]
    records = Records(aws.table)
    records.move(records.get(export_id), "ERROR")
    assert api("DELETE", path).status == 204
    assert versions(aws) == []
    assert deliver(submitter.handler, *messages) == [], "a message that comes late does no harm"


def test_a_file_read_anew_meanwhile_is_not_forgotten(api: Call, aws: ServiceSettings) -> None:
    uploads = Uploads(aws.table)
    before = uploads.get(upload(api, SQUARE))
    uploads.settle(before, before.model_copy(update={"content": "another"}))
    with pytest.raises(Conflict, match="changed meanwhile"):
        uploads.delete(before)


def test_of_a_dropped_file_its_own_version_goes(api: Call, aws: ServiceSettings) -> None:
    api("PUT", "/presets/weekly", body=PRESET)
    key = "inbox/anna/weekly/field.geojson"
    for square in (SQUARE, {**SQUARE, "coordinates": [[[lon + 1, lat] for lon, lat in SQUARE["coordinates"][0]]]}):
        assert deliver(importer.handler, put(key, square)) == []
    assert deliver(submitter.handler, *ready()) == []
    records, (second, first) = Records(aws.table), api("GET", "/uploads").json["uploads"]
    records.move(records.get(first["export_id"]), "SUCCESS")
    assert api("DELETE", f"/uploads/{first['upload_id']}").status == 204
    assert len([each for each in versions(aws) if each == key]) == 1
    assert api("GET", f"/uploads/{second['upload_id']}").json["geometry"] is not None
