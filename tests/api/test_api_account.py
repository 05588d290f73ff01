"""Who one is, and what the service says of itself."""

from __future__ import annotations

import json
import re

import pytest

from cutline import __version__
from cutline.models.audit import AttemptAudit, Audit, TileRun, TilesRun
from cutline.models.record import now
from cutline.service.api.exports import MAX_ANSWER, _fitting
from tests.support.api import BODY, MACHINE, Call


def test_limits_and_use(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTLINE_LIMITS", '{"pixels_a_month": 5, "exports_at_once": 3}')
    api("POST", "/exports", body=BODY)
    told = api("GET", "/me").json
    assert (told["limits"]["pixels_a_month"], told["limits"]["exports_at_once"]) == (5, 3)
    assert told["used"] == {"exports_running": 1, "pixels_this_month": 0, "bytes_this_month": 0}


def test_a_machine_goes_by_its_client_id(api: Call) -> None:
    claims = {"sub": MACHINE, "client_id": MACHINE, "scope": "cutline/exports", "token_use": "access"}
    told = api("GET", "/me", claims=claims).json
    assert (told["sub"], told["username"], told["admin"]) == (MACHINE, MACHINE, False)


def test_anybody_learns_how_to_sign_in(api: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api("GET", "/health", who=None).json == {"status": "ok", "version": __version__}
    monkeypatch.setenv("CUTLINE_CLIENT_ID", "console")
    told = api("GET", "/config", who=None).json
    assert (told["client_id"], told["scope"]) == ("console", "cutline/exports")
    assert told["token_url"] == "https://api.example.org/oauth2/token"
    monkeypatch.setenv("CUTLINE_LOGIN_URL", "https://login.example.org")
    assert api("GET", "/config", who=None).json["authorize_url"] == "https://login.example.org/oauth2/authorize"


def test_the_document_is_openapi_and_swagger_shows_it(api: Call) -> None:
    document = api("GET", "/openapi.json", who=None).json
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "https://api.example.org"}]
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
    assert flows["clientCredentials"]["tokenUrl"] == "https://api.example.org/oauth2/token"
    page = api("GET", "/docs", who=None)
    assert page.headers["content-type"].startswith("text/html")
    assert '"operationId": "submitExport"' in page.text
    assert not re.search(r'(src|href)="https?://', page.text)  # it works without any other host
    assert len(page.text) < MAX_ANSWER


def test_every_route_says_what_it_is(api: Call) -> None:
    document = api("GET", "/openapi.json").json
    known = set(document["components"]["schemas"])
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"] and operation["tags"], path
            assert all("description" in parameter for parameter in operation.get("parameters", ())), path
    referred = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert referred <= known


def test_an_audit_of_very_many_tiles_fits_into_an_answer() -> None:
    tiles = tuple(TileRun(row=row, col=0, state="done", at=now(), billed_ms=5) for row in range(60_000))
    attempt = AttemptAudit(attempt=1, source="archive", tiles=TilesRun(done=60_000, rendered=tiles))
    audit = Audit(export_id="a", owner="anna", name="n", status="SUCCESS", attempts=(attempt,), events=())
    short = _fitting(audit)
    assert len(short.model_dump_json()) < MAX_ANSWER < len(audit.model_dump_json())
    assert short.attempts[0].tiles.done == 60_000
    assert _fitting(short) == short
