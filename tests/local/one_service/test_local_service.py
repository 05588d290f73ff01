"""The service as its users have it: over HTTP alone, in a process of its own."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import boto3
import jwt
import psutil
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from local.tokens import CONSOLE, KEY_ID, MACHINE, SCOPE, USERS
from tests.support.cli import exported
from tests.support.local import Running, eventually

# Starting ------------------------------------------------------------------------------------------------------


def test_it_tells_what_to_do_next(running: Running) -> None:
    said = running.said()
    assert re.search(r"after [\d.]+ s", said)
    assert "demo/demo" in said and "secret machine" in said
    assert f"{running.url}/docs" in said


def test_the_shown_commands_work(running: Running) -> None:
    shown = running.said()
    commands = shown[shown.index("TOKEN=") :]
    done = subprocess.run(["bash", "-c", commands], check=False, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["sub"] == MACHINE, done.stderr


def test_it_listens_on_one_port_of_loopback(running: Running) -> None:
    """And for its own functions on others, which only they know."""
    listening = [
        each.laddr for each in psutil.Process(running.process.pid).net_connections("inet") if each.status == "LISTEN"
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_no_other_name_of_this_machine_is_answered(running: Running) -> None:
    """Else a web page could make its own name point here, and read the answers."""
    answer = requests.get(f"{running.url}/health", headers={"Host": "evil.example"}, timeout=30)
    assert answer.status_code == 421


# Tokens --------------------------------------------------------------------------------------------------------


def test_demo_users_keep_their_owner_ids(running: Running) -> None:
    assert running.get("/me").json()["sub"] == "40cab601-7b5e-53ed-ad98-f2dc0d02a1bc"
    assert running.get("/me", "admin").json()["admin"] is True
    assert running.get("/me", MACHINE).json()["sub"] == MACHINE


def test_the_key_set_verifies_tokens(running: Running) -> None:
    token = running.token()
    key = jwt.PyJWKClient(f"{running.url}/users/.well-known/jwks.json").get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key.key, algorithms=["RS256"], issuer=f"{running.url}/users")
    assert claims["token_use"] == "access" and SCOPE in claims["scope"].split()


GOOD: dict[str, Any] = {"sub": "x", "token_use": "access", "client_id": CONSOLE, "scope": SCOPE}


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": 1},
        {"iss": "https://cognito-idp.us-east-1.amazonaws.com/other"},
        {"token_use": "id"},
        {"client_id": "another"},
        {"scope": "openid"},
        {},
    ],
    ids=["expired", "issuer", "id token", "client", "scope", "key"],
)
def test_a_token_that_is_not_for_us_is_refused(running: Running, wrong: dict[str, Any]) -> None:
    """Signed by another key as well: that alone would do, and the unit tests below tell them apart."""
    key = rsa.generate_private_key(65537, 2048)
    until = int(dt.datetime.now(dt.UTC).timestamp()) + 600
    claims = {"iss": f"{running.url}/users", "exp": until, **GOOD, **wrong}
    token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": KEY_ID})
    answer = running.get("/me", None, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic ZGVtbzpkZW1v"}])
def test_without_a_token_nothing_is_told(running: Running, header: dict[str, str]) -> None:
    answer = running.get("/exports", None, headers=header)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_code_is_good_once_and_with_its_verifier_only(running: Running) -> None:
    verifier, back = "v" * 50, "http://localhost:1/back"
    challenge = "NHRnx4Sf3kLp1YfEL0fyPNrmGL9r9B1lFKcxdeXyTE0"
    asked = {"client_id": CONSOLE, "response_type": "code", "redirect_uri": back, "state": "s&t"}
    asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    page = requests.get(f"{running.url}/oauth2/authorize", params=asked, timeout=30)
    assert page.status_code == 200 and "password" in page.text
    login = {"username": "demo", "password": USERS["demo"].password}
    answer = requests.post(
        f"{running.url}/oauth2/authorize", params=asked, data=login, allow_redirects=False, timeout=30
    )
    assert answer.headers["Location"].endswith("&state=s%26t")
    code = re.search(r"code=([^&]+)", answer.headers["Location"])
    assert code
    given = {"grant_type": "authorization_code", "client_id": CONSOLE, "redirect_uri": back, "code": code[1]}
    for _ in range(2):  # the first has the wrong verifier, the second a code that is used up
        answer = requests.post(f"{running.url}/oauth2/token", data={**given, "code_verifier": verifier}, timeout=30)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_wrong_password_leads_nowhere(running: Running) -> None:
    asked = {"client_id": CONSOLE, "response_type": "code", "redirect_uri": "http://localhost:1/"}
    asked |= {"code_challenge": "x", "code_challenge_method": "S256"}
    answer = requests.post(
        f"{running.url}/oauth2/authorize", params=asked, data={"username": "demo", "password": "no"}, timeout=30
    )
    assert answer.status_code == 401 and "not known" in answer.text


def test_codes_are_sent_to_this_machine_only(running: Running) -> None:
    asked = {"client_id": CONSOLE, "response_type": "code", "redirect_uri": "https://evil.example/"}
    answer = requests.get(f"{running.url}/oauth2/authorize", params=asked, timeout=30)
    assert answer.status_code == 400


# Objects -------------------------------------------------------------------------------------------------------


LARGE = "/cutline-scenes/large.bin"


@pytest.mark.parametrize(
    ("header", "status", "wanted"),
    [
        ("bytes=0-15", 206, slice(0, 16)),
        ("bytes=6291450-6291470", 206, slice(6291450, 6291471)),
        ("bytes=12582900-", 206, slice(12582900, 12 * 2**20)),
        ("bytes=-5", 206, slice(12 * 2**20 - 5, 12 * 2**20)),
        ("bytes=12582911-99999999", 206, slice(12 * 2**20 - 1, 12 * 2**20)),
        ("bytes=9-3", 200, slice(0, 12 * 2**20)),
        ("lines=1-2", 200, slice(0, 12 * 2**20)),
    ],
)
def test_ranges(running: Running, scenes: Path, header: str, status: int, wanted: slice) -> None:
    answer = requests.get(running.url + LARGE, headers={"Range": header}, timeout=30)
    assert answer.status_code == status
    assert answer.content == (scenes / "large.bin").read_bytes()[wanted]
    if status == 206:
        assert answer.headers["Content-Range"] == f"bytes {wanted.start}-{wanted.stop - 1}/{12 * 2**20}"


def test_a_range_beyond_the_end_is_told(running: Running) -> None:
    answer = requests.get(running.url + LARGE, headers={"Range": "bytes=12582912-"}, timeout=30)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{12 * 2**20}")


def test_a_range_of_what_has_changed_is_the_whole(running: Running) -> None:
    etag = requests.head(running.url + LARGE, timeout=30).headers["ETag"]
    for condition, status in ((etag, 206), ('"other"', 200)):
        wanted = {"Range": "bytes=0-3", "If-Range": condition}
        assert requests.get(running.url + LARGE, headers=wanted, timeout=30).status_code == status


def test_only_scenes_are_for_everybody(running: Running) -> None:
    for path in ("/cutline-results/x", "/cutline-work?list-type=2", "/cutline-audit"):
        answer = requests.get(running.url + path, timeout=30)
        assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)
    assert requests.put(running.url + "/cutline-scenes/new.tif", data=b"x", timeout=30).status_code == 403
    assert requests.delete(running.url + LARGE, timeout=30).status_code == 403


def test_aws_wants_a_key_that_is_known(running: Running) -> None:
    client: Any = boto3.client(
        "dynamodb", endpoint_url=running.url, region_name="us-east-1",
        aws_access_key_id="cutline-local", aws_secret_access_key="guessed",
    )  # fmt: skip
    with pytest.raises(client.exceptions.ClientError, match="SignatureDoesNotMatch"):
        client.list_tables()


SWAPPED = str.maketrans("0123456789abcdef", "123456789abcdef0")
"""Each hexadecimal digit for another"""


# Exports -------------------------------------------------------------------------------------------------------


def test_an_export_is_the_one_of_the_command_line(running: Running, scenes: Path, area: Any, tmp_path: Path) -> None:
    """Byte for byte, over presigned links whose signature is needed."""
    export_id = running.submit(area, 12, crs="EPSG:3857", name="field")
    assert running.ended(export_id)["status"] == "SUCCESS"
    link = running.get(f"/exports/{export_id}/download").headers["Location"]
    cog = requests.get(link, timeout=30).content
    out = tmp_path / "field.tif"
    words = ("--crs", "EPSG:3857", "--resolution", 12, "-o", out)
    exported("--scene", scenes / "east.tif", "--aoi", tmp_path / "aoi.json", *words)
    assert cog == out.read_bytes()

    ranged = requests.get(link, headers={"Range": "bytes=0-3"}, timeout=30)
    assert (ranged.status_code, ranged.content) == (206, cog[:4])
    forged = re.sub(r"(X-Amz-Signature=)(..)", lambda at: at[1] + at[2].translate(SWAPPED), link)
    assert requests.get(forged, timeout=30).status_code == 403
    longer = re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=9999", link)
    assert requests.get(longer, timeout=30).status_code == 403
    other = link.replace("field.tif?", "request.json?")
    assert requests.get(other, timeout=30).status_code == 403
    assert requests.put(link, data=b"x", timeout=30).status_code == 403


def test_a_killed_slot_costs_a_retry_and_no_more(running: Running, area: Any) -> None:
    export_id = running.submit(area, 4)
    for slot in eventually(lambda: running.slots("render_tile")):
        slot.kill()
    assert running.ended(export_id)["status"] == "SUCCESS"


def test_logs_of_an_export_are_read_through_the_api(running: Running, area: Any) -> None:
    export_id = running.submit(area, 24)
    assert running.ended(export_id)["status"] == "SUCCESS"
    for function in ("plan", "render_tile", "assemble"):
        path = f"/exports/{export_id}/logs?function={function}"
        (line, *_) = eventually(lambda path=path: running.get(path).json()["lines"], what=f"what {function} logged")
        assert (line["function"], line["message"], line["attempt"]) == (function, "done", 1)


# Uploads -------------------------------------------------------------------------------------------------------


def test_a_form_is_taken_as_its_policy_says(running: Running, area: Any) -> None:
    answer = running.post("/uploads", {"filename": "aoi.geojson"})
    assert answer.status_code in (200, 201), answer.text
    url, fields = answer.json()["form"]["url"], answer.json()["form"]["fields"]

    def send(changed: dict[str, str]) -> int:
        file = ("aoi.geojson", json.dumps(area))
        return requests.post(url, data={**fields, **changed}, files={"file": file}, timeout=30).status_code

    assert send({"key": "elsewhere"}) == 403
    assert send({"x-amz-signature": "0" * 64}) == 403
    policy = json.loads(base64.b64decode(fields["policy"]))
    policy["expiration"] = "2099-01-01T00:00:00Z"
    assert send({"policy": base64.b64encode(json.dumps(policy).encode()).decode()}) == 403
    assert send({"acl": "public-read"}) == 403
    policy["conditions"] = []  # a policy of one's own is no better
    assert send({"policy": base64.b64encode(json.dumps(policy).encode()).decode()}) == 403
    assert send({}) in (200, 201, 204)
