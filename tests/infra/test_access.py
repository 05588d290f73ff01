"""Who may what, by the synthesised template: who asks the API, and the roles of functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from cutline.client.api import passing, retry_after
from tests.infra.reading import Resources, functions_of, listed, of_type, statements_of, text

# Who may ask -------------------------------------------------------------------------------------------------------


def test_every_route_wants_a_token_with_our_scope_but_for_the_description(resources: Resources) -> None:
    methods = [
        each for each in of_type(resources, "AWS::ApiGateway::Method").values() if each["HttpMethod"] != "OPTIONS"
    ]
    public = {_part(resources, each) for each in methods if each["AuthorizationType"] == "NONE"}
    assert public == {"health", "config", "openapi.json", "docs", "{token}"}
    guarded = [each for each in methods if each["AuthorizationType"] != "NONE"]
    assert {_part(resources, each) for each in guarded} == {"{proxy+}"}
    for method in guarded:
        assert method["AuthorizationType"] == "COGNITO_USER_POOLS"
        assert method["AuthorizationScopes"] == ["cutline/exports"]
        assert not method.get("ApiKeyRequired")


def _part(resources: Resources, method: dict[str, Any]) -> str:
    path: str = resources[method["ResourceId"]["Ref"]]["Properties"]["PathPart"]
    return path


def test_the_api_is_throttled_traced_and_logged_without_bodies(resources: Resources) -> None:
    (stage,) = of_type(resources, "AWS::ApiGateway::Stage").values()
    assert stage["TracingEnabled"] is True
    assert stage["AccessLogSetting"]
    (methods,) = stage["MethodSettings"]
    assert methods == methods | {"DataTraceEnabled": False, "ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 100}


def test_pages_of_another_origin_may_ask_and_read(tmp_path: Path) -> None:
    from infra.app import app
    from infra.settings import defaults

    origin = "https://console.example.org"
    app(defaults() | {"cutline:console_origin": origin}, tmp_path, tmp_path / "none").synth()
    resources = json.loads((tmp_path / "Cutline.template.json").read_text())["Resources"]
    assert functions_of(resources)["submit"]["Environment"]["Variables"]["CUTLINE_CONSOLE_ORIGIN"] == origin
    asked: dict[str, set[str]] = {}
    for method in of_type(resources, "AWS::ApiGateway::Method").values():
        asked.setdefault(text(method["ResourceId"]), set()).add(method["HttpMethod"])
        if method["HttpMethod"] == "OPTIONS":
            (answer,) = method["Integration"]["IntegrationResponses"]
            said = {name.rpartition(".")[2]: value.strip("'") for name, value in answer["ResponseParameters"].items()}
            assert (method["AuthorizationType"], said["Access-Control-Allow-Origin"]) == ("NONE", origin)
            assert set(said["Access-Control-Allow-Headers"].split(",")) >= {"Authorization", "Content-Type"}
    assert all("OPTIONS" in methods for methods in asked.values())
    for refusal in of_type(resources, "AWS::ApiGateway::GatewayResponse").values():
        assert refusal["ResponseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == f"'{origin}'"


@pytest.mark.parametrize("wrong", ["https://a.example.org/", "a.example.org", "", "https://a b", "ftp://a"])
def test_an_origin_has_no_path(wrong: str) -> None:
    from infra.settings import defaults, deployment

    with pytest.raises(ValueError, match="console_origin"):
        deployment((defaults() | {"cutline:console_origin": wrong}).get)


def test_what_the_gateway_refuses_by_itself_is_a_problem_too(resources: Resources) -> None:
    answers = of_type(resources, "AWS::ApiGateway::GatewayResponse").values()
    others = [each for each in answers if each["ResponseType"].startswith("DEFAULT_")]
    assert {each["ResponseType"] for each in others} == {"DEFAULT_4XX", "DEFAULT_5XX"}
    for answer in (each for each in answers if each not in others):
        written = answer["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"why"')
        problem = json.loads(written)
        assert str(problem["status"]) == answer["StatusCode"]
        assert set(problem) == {"type", "title", "status", "code", "detail"}
        content_type = answer["ResponseParameters"]["gatewayresponse.header.Content-Type"]
        assert content_type == "'application/problem+json'"


def test_whom_the_gateway_throttles_asks_again(resources: Resources) -> None:
    (throttled,) = (
        each
        for each in of_type(resources, "AWS::ApiGateway::GatewayResponse").values()
        if each["ResponseType"] == "THROTTLED"
    )
    answer = requests.Response()
    answer.status_code = int(throttled["StatusCode"])
    for name, value in throttled["ResponseParameters"].items():
        answer.headers[name.removeprefix("gatewayresponse.header.")] = value.strip("'")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert passing(answer) and retry_after(answer, 1) == 1


def test_people_prove_themselves_by_a_code_and_machines_by_a_secret(resources: Resources) -> None:
    clients = of_type(resources, "AWS::Cognito::UserPoolClient")
    people, machines = clients["Console"], clients["Machines"]
    assert (people["AllowedOAuthFlows"], people["GenerateSecret"]) == (["code"], False)
    assert (machines["AllowedOAuthFlows"], machines["GenerateSecret"]) == (["client_credentials"], True)
    for client in (people, machines):
        assert not [flow for flow in client.get("ExplicitAuthFlows", ()) if "PASSWORD" in flow or "SRP" in flow]
        assert client["PreventUserExistenceErrors"] == "ENABLED"
    (pool,) = of_type(resources, "AWS::Cognito::UserPool").values()
    policy = pool["Policies"]["PasswordPolicy"]
    assert policy["MinimumLength"] >= 12
    assert all(policy[f"Require{kind}"] for kind in ("Lowercase", "Uppercase", "Numbers", "Symbols"))
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    (group,) = of_type(resources, "AWS::Cognito::UserPoolGroup").values()
    assert group["GroupName"] == "admin"


# Roles -------------------------------------------------------------------------------------------------------------

WITHOUT_RESOURCES = {
    "xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
}  # fmt: skip
"""Actions that accept no other resource than *"""


def test_everything_is_allowed_only_to_actions_that_know_no_resources(resources: Resources) -> None:
    for name in of_type(resources, "AWS::IAM::Role"):
        for statement in statements_of(resources, name):
            actions = set(listed(statement["Action"]))
            assert not any(action == "*" or action.endswith(":*") for action in actions), name
            if "*" in listed(statement["Resource"]):
                assert actions <= WITHOUT_RESOURCES, name


def test_the_machine_may_invoke_its_steps_and_nothing_else(resources: Resources) -> None:
    (machine,) = of_type(resources, "AWS::StepFunctions::StateMachine").values()
    (role,) = [name for name in of_type(resources, "AWS::IAM::Role") if f"<{name}." in text(machine["RoleArn"])]
    invoked = {
        text(resource)
        for statement in statements_of(resources, role)
        if "lambda:InvokeFunction" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
    steps = {text(arn) for token, arn in machine["DefinitionSubstitutions"].items() if token != "table"}
    assert invoked == steps


def test_each_function_has_a_role_of_its_own(resources: Resources) -> None:
    roles = [text(each["Role"]) for each in functions_of(resources).values()]
    assert len(set(roles)) == len(roles)


def test_who_reads_files_of_strangers_sees_the_inbox_alone(resources: Resources) -> None:
    role = text(functions_of(resources)["import_aoi"]["Role"]).strip("<>").split(".")[0]
    may = {
        (action, text(resource))
        for statement in statements_of(resources, role)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if not action.startswith(("xray:", "logs:"))
    }
    assert {resource for _, resource in may} == {
        "<Exports.Arn>", "<Inbox.Arn>", "<Inbox.Arn>/*", "<Inbox.Arn>/*/aois/*",
        "<ReadyQueue.Arn>", "<UploadsQueue.Arn>",
    }  # fmt: skip
    assert {resource for action, resource in may if action == "s3:PutObject"} == {"<Inbox.Arn>/*/aois/*"}
    (table,) = [each for each in statements_of(resources, role) if "dynamodb:PutItem" in listed(each["Action"])]
    assert table["Condition"]["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": ["UPLOAD#*"]}
