"""Each role allows what its function does, seen while it does it; locally nobody would miss a right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from cutline.errors import InternalError
from cutline.models.destination import DropboxSecret
from cutline.models.record import DeliveryRecord, now
from cutline.models.traffic import TICKET
from cutline.service import targets, trying
from cutline.service.downloads import redirect
from cutline.service.sharing import share
from cutline.settings import ServiceSettings, service
from cutline.store import lambdas
from cutline.store.clients import client
from cutline.store.deliveries import Deliveries
from cutline.store.records import Records
from tests.infra.asked import ACCESS_LOGS, Asked, Recorder, Role, known_on_deployment
from tests.infra.reading import Resources, functions_of, listed, statements_of, text
from tests.support.api import ADMIN, BODY, call
from tests.support.destinations import BUCKET, KEYS, Place
from tests.support.exports import make_cog, make_export, make_state_machine
from tests.support.inbox import deliver, put
from tests.support.plans import area_of
from tests.support.receiver import hand_over
from tests.support.scenes import texture, write_scene
from tests.support.steps import Context, put_scene, submitted

SMALL = area_of(401000, 5590000, 412000, 5598800)


@pytest.fixture
def recorder(aws_server: ServiceSettings, monkeypatch: pytest.MonkeyPatch, resources: Resources) -> Iterator[Recorder]:
    """Of a test's calls; when it is over, each must have been allowed."""
    make_state_machine(monkeypatch)
    pool = client("cognito-idp").create_user_pool(PoolName="users")["UserPool"]["Id"]
    monkeypatch.setenv("CUTLINE_USER_POOL", pool)
    monkeypatch.setenv("CUTLINE_SENDER", "exports@cutline.example")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "Cutline-submit")
    recorder = Recorder(monkeypatch)
    yield recorder
    known = known_on_deployment(service())
    assert recorder.asked
    for function, calls in recorder.asked.items():
        role = Role(resources, function, known)
        refused = {f"{each.action} on {each.resource}" for each in calls if not role.allows(each)}
        assert not refused, function


def test_roles_are_read_as_iam_reads_them(aws_server: ServiceSettings, resources: Resources) -> None:
    """The comparison can fail."""
    known, table = known_on_deployment(service()), f"arn:aws:dynamodb:us-east-1:123456789012:table/{service().table}"
    importing, rendering = Role(resources, "import_aoi", known), Role(resources, "render_tile", known)
    assert importing.allows(Asked("dynamodb:GetItem", table, {"dynamodb:LeadingKeys": "UPLOAD#1"}))
    assert not importing.allows(Asked("dynamodb:GetItem", table, {"dynamodb:LeadingKeys": "EXPORT#1"}))
    assert not importing.allows(Asked("dynamodb:GetItem", table))
    assert not rendering.allows(Asked("dynamodb:DeleteItem", table))
    for role in (rendering, Role(resources, "plan", known)):
        assert role.allows(Asked("dynamodb:PutItem", table, {"dynamodb:LeadingKeys": "EXPORT#1"}))
        for key in ("DESTINATION#1", "WEBHOOKS#1", "ACCOUNT#1", "UPLOAD#1"):
            assert not role.allows(Asked("dynamodb:PutItem", table, {"dynamodb:LeadingKeys": key}))
    segments = f"arn:aws:s3:::{service().work_bucket}/segments/a/0.segment"
    assert rendering.allows(Asked("s3:PutObject", segments))
    assert not rendering.allows(Asked("s3:PutObject", segments.replace("segments", "exports")))
    assert not rendering.allows(Asked("s3:DeleteObject", segments))


def test_the_steps_of_an_export(recorder: Recorder, tmp_path: Path) -> None:
    scene = put_scene(write_scene(tmp_path / "a.tif", texture((3, 1100, 1200)), nodata=0))
    export = submitted({"source": {"scenes": [scene]}, "aoi": SMALL, "bands": ["red"]}, "e1")
    with recorder.acting("plan"):
        planned = export.plan()
    with recorder.acting("render_tile"):
        export.render(planned, *range(planned.tiles))
    with recorder.acting("assemble"):
        export.assemble(planned)
    with recorder.acting("plan"):  # once more, as after a retry: it looks for what is there
        export.plan()
    assert set(recorder.asked) == {"plan", "render_tile", "assemble"}


def test_delivery_and_word_of_it(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    from functions.deliver.handler import handler as bring
    from functions.notify.handler import handler as tell

    user = client("cognito-idp").admin_create_user(
        UserPoolId=service().user_pool,
        Username="anna",
        UserAttributes=[{"Name": "email", "Value": "anna@example.org"}, {"Name": "email_verified", "Value": "true"}],
    )["User"]
    anna = next(each["Value"] for each in user["Attributes"] if each["Name"] == "sub")
    with recorder.acting("submit"):
        made = call("POST", "/webhooks", body={"url": "https://8.8.8.8/"}, who=anna).json
        call("PATCH", f"/webhooks/{made['webhook_id']}", body={"rotate_secret": True}, who=anna)
    monkeypatch.setattr("cutline.service.webhook_sending.post", lambda *_: 204)
    record = make_cog(service(), make_export("e1", owner=anna, status="DELIVERING", notify=True))
    task = {"export_id": "e1", "attempt": 1}
    assert record.result is not None
    with recorder.acting("deliver"):
        brought = {**task, "what": "deliver", "delivery_id": "link-1", "cog_href": record.result.cog_href,
                   "execution": record.execution_name}  # fmt: skip
        assert bring(brought, Context())["delivered"]
    Records(service().table).move(record, "SUCCESS", earlier=("DELIVERING",))
    client("sesv2").create_email_identity(EmailIdentity=service().sender)
    later = {"delivery_id": "d1", "execution": "e1-1-d1-0a1b2c"}
    ended = DeliveryRecord(**later, kind="sftp", state="done", uri="sftp://a/b.tif", attempt=1, at=now())
    Records(service().table).put_delivery("e1", ended)
    with recorder.acting("notify"):
        tell(task, None)
        due = {"kind": "webhook", "owner": anna, "webhook_id": made["webhook_id"], "number": 1, "round": 1}
        assert hand_over(tell, due, {"kind": "delivery", "export_id": "e1", **later}) == []
    with recorder.acting("submit"):
        call("POST", f"/webhooks/{made['webhook_id']}/deliveries/1/replay", who=anna)
        call("DELETE", f"/webhooks/{made['webhook_id']}", who=anna)
    assert {each.action for each in recorder.asked["notify"]} >= {
        "cognito-idp:ListUsers", "ses:SendRawEmail", "sqs:SendMessage", "secretsmanager:GetSecretValue",
    }  # fmt: skip
    assert {each.action for each in recorder.asked["submit"]} >= {
        "secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret",
    }  # fmt: skip


def test_a_destination(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    from functions.deliver.handler import handler

    place = Place()
    monkeypatch.setitem(targets.TARGETS, "s3", place.target)
    with recorder.acting("submit"):
        home = call("POST", "/destinations", body={"name": "home", "settings": BUCKET, "secret": KEYS}).json
        path = f"/destinations/{home['destination_id']}"
        call("PATCH", path, body={"secret": KEYS})
        with pytest.raises(InternalError):  # there are no functions here
            lambdas.ask(f"{service().function_prefix}deliver", {})
    make_cog(service(), make_export("e" * 24, owner="anna", status="SUCCESS"))
    with recorder.acting("submit"):
        wanted = {"kind": "destination", "destination_id": home["destination_id"]}
        sent = call("POST", f"/exports/{'e' * 24}/deliveries", body=wanted).json["deliveries"]
    task = {"export_id": "e" * 24, "attempt": 1, "cog_href": "s3://b/k"}
    with recorder.acting("deliver"):
        trial = {"what": "trial", "owner": "anna", "destination_id": home["destination_id"]}
        assert handler(trial, Context()) == {"problem": None}
        [delivery] = [each["delivery_id"] for each in sent if each["kind"] == "s3"]
        carrier = Deliveries(service().table, "e" * 24).get(delivery).execution
        handler({**task, "what": "deliver", "delivery_id": delivery, "execution": carrier}, Context())
    with recorder.acting("submit"):
        assert call("DELETE", path).status == 204
    asked = {function: {each.action for each in calls} for function, calls in recorder.asked.items()}
    assert asked["submit"] >= {"secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "lambda:InvokeFunction"}
    assert "secretsmanager:GetSecretValue" in asked["deliver"]


def test_a_dropbox_account_that_is_authorised_again(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    from functions.deliver.handler import handler

    monkeypatch.setenv("CUTLINE_DROPBOX_KEY", "app")
    monkeypatch.setitem(targets.TARGETS, "dropbox", Place().target)
    monkeypatch.setattr(trying, "exchange", lambda code: DropboxSecret(refresh_token=SecretStr(code)))
    with recorder.acting("submit"):
        made = call("POST", "/destinations", body={"name": "home", "settings": {"kind": "dropbox"}}).json
    with recorder.acting("deliver"):
        for code in ("one", "two"):
            trial = {"what": "trial", "owner": "anna", "destination_id": made["destination_id"], "code": code}
            assert handler(trial, Context()) == {"problem": None}
    asked = {each.action for each in recorder.asked["deliver"]}
    assert asked >= {"secretsmanager:CreateSecret", "secretsmanager:DeleteSecret"}


def test_no_other_function_reads_secrets_of_destinations(aws: ServiceSettings, resources: Resources) -> None:
    known, arn = known_on_deployment(aws), "arn:aws:secretsmanager:us-east-1:123456789012:secret:Cutline/destinations/"
    read = Asked("secretsmanager:GetSecretValue", f"{arn}anna/1-AbCdEf")
    assert [each for each in sorted(functions_of(resources)) if Role(resources, each, known).allows(read)] == [
        "deliver"
    ]


def test_deliveries_take_no_role_of_our_own_account(resources: Resources) -> None:
    role = text(functions_of(resources)["deliver"]["Role"]).strip("<>").split(".")[0]
    [roles] = [each for each in statements_of(resources, role) if "sts:AssumeRole" in listed(each["Action"])]
    assert roles["Condition"] == {"StringNotEquals": {"aws:ResourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.mark.parametrize("status", ["ABORTED", "SUCCEEDED", "TIMED_OUT"])
def test_the_end_of_an_execution(recorder: Recorder, status: str) -> None:
    from functions.reconcile.handler import handler

    record = make_cog(service(), make_export("e1", status="DELIVERING"))
    far = DeliveryRecord(delivery_id="d1", kind="sftp", state="running", attempt=1, moved=True)
    Records(service().table).put_delivery("e1", far)
    client("s3").create_multipart_upload(Bucket=service().exports_bucket, Key="anna/e1/north field.tif")
    arn = service().state_machine.replace(":stateMachine:", ":execution:") + f":{record.execution_name}"
    detail = {
        "executionArn": arn, "stateMachineArn": service().state_machine, "name": record.execution_name,
        "status": status, "input": json.dumps({"export_id": "e1", "attempt": 1}), "output": None, "error": None,
        "cause": None, "startDate": 1795242000000, "stopDate": 1795242060000,
    }  # fmt: skip
    told = [{"detail-type": "Step Functions Execution Status Change", "detail": detail}]
    swept = [{"detail-type": "Scheduled Event", "detail": {}}]
    with recorder.acting("reconcile"):
        for batch in (told, swept):
            records = [{"messageId": "1", "body": json.dumps(message)} for message in batch]
            handler({"Records": records}, None)
    asked = {each.action for each in recorder.asked["reconcile"]}
    assert asked >= {"dynamodb:Query", "s3:AbortMultipartUpload", "s3:PutObject"}
    assert ("states:StartExecution" in asked) == (status == "TIMED_OUT"), "what is under way goes on"


def test_a_file_becomes_an_area(recorder: Recorder) -> None:
    from functions.import_aoi.handler import handler

    events = [put(f"inbox/anna/ndvi/{name}", content) for name, content in (("a.geojson", SMALL), ("b.geojson", {}))]
    with recorder.acting("import_aoi"):
        assert deliver(handler, *events) == []
    assert {each.action for each in recorder.asked["import_aoi"]} >= {
        "s3:GetObjectVersion", "s3:PutObject", "dynamodb:PutItem", "sqs:SendMessage",
    }  # fmt: skip


def send_area(bucket: str, key: str) -> None:
    """A file comes, is read, and its area is kept."""
    from functions.import_aoi.handler import handler

    client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert deliver(handler, put(key, SMALL)) == []


def test_what_left_is_counted(recorder: Recorder) -> None:
    from functions.meter.handler import handler

    record = make_cog(service(), make_export("e1", status="SUCCESS"))
    link, _ = share(record, by="anna")
    given = parse_qs(urlsplit(redirect(record, "cog", by="anna", link=link)).query)[TICKET][0]
    line = (
        f"owner {service().exports_bucket} [21/Nov/2026:09:50:00 +0000] 192.0.2.3 - 3E57427F3 REST.GET.OBJECT "
        f'anna/e1/x.tif "GET /anna/e1/x.tif?{TICKET}={given} HTTP/1.1" 200 - 12 23 1 1 "-" "-"'
    )
    client("s3").create_bucket(Bucket=ACCESS_LOGS)
    client("s3").put_object(Bucket=ACCESS_LOGS, Key="results/log", Body=line.encode())
    with recorder.acting("meter"):
        messages = [
            {"detail": {"bucket": {"name": ACCESS_LOGS}, "object": {"key": f"results/{name}"}}}
            for name in ("log", "none")
        ]
        assert deliver(handler, *messages) == []
    assert {each.action for each in recorder.asked["meter"]} >= {
        "s3:GetObject", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
    }  # fmt: skip


def test_what_the_api_does(recorder: Recorder) -> None:
    def asks(method: str, path: str, **how: Any) -> Any:
        with recorder.acting("submit"):
            answer = call(method, path, **how)
        assert answer.status < 400, (path, answer.text)
        return answer

    made = asks("POST", "/exports", body=BODY).json["export_id"]
    for path in ("/me", "/exports", f"/exports/{made}", f"/exports/{made}/audit", f"/exports/{made}/tiles"):
        asks("GET", path)
    asks("GET", f"/exports/{made}/logs")
    asks("POST", f"/exports/{made}/cancel")
    asks("POST", f"/exports/{made}/retry")
    asks("POST", f"/exports/{made}/cancel")
    asks("DELETE", f"/exports/{made}")
    upload = asks("POST", "/uploads", body={"filename": "a.geojson"}).json["upload_id"]
    asks("GET", f"/uploads/{upload}")
    send_area(service().inbox_bucket, f"anna/uploads/{upload}/a.geojson")
    asks("DELETE", f"/uploads/{upload}")
    asks("GET", "/exports", who=ADMIN, query={"owner": "*"})
    make_cog(service(), make_export("e2", status="SUCCESS"))
    asks("GET", "/exports/e2/download")
    asks("HEAD", "/exports/e2/download")
    link = asks("POST", "/exports/e2/links", body={"max_downloads": 2}).json
    asks("GET", f"/l/{link['url'].rpartition('/')[2]}")
    asks("GET", "/exports/e2/links")
    asks("DELETE", f"/exports/e2/links/{link['link_id']}")
    asks("GET", "/usage")
    assert {each.action for each in recorder.asked["submit"]} >= {
        "states:StartExecution", "states:StopExecution", "dynamodb:Query", "s3:DeleteObject", "logs:FilterLogEvents",
        "s3:DeleteObjectVersion", "s3:ListBucketVersions",
    }  # fmt: skip
