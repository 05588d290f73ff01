"""What the local service takes over from the deployment: a digest of the synthesised CloudFormation template.

``resources.json`` is the digest of the last synthesis, so that serving needs no node; a test compares the two. Values
that the template computes keep their references, as ``${LogicalId}`` and ``${LogicalId.Attribute}``.

    make digest
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from cutline.models.base import Model

COMMITTED = Path(__file__).with_name("resources.json")

Text = str
"""With references in it"""


class FunctionDigest(Model):
    id: str
    """Logical"""
    timeout: int = 3
    """Seconds"""
    memory: int = 128
    """MiB"""
    environment: dict[str, Text] = Field(default_factory=dict)


class TableDigest(Model):
    key: tuple[str, ...]
    indexes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    attributes: dict[str, str]
    ttl: str | None = None


class BucketDigest(Model):
    versioned: bool = False
    events: bool = False
    """Tells EventBridge of every change"""
    log_bucket: Text | None = None
    """Where S3 writes what was asked of it"""
    log_prefix: str = ""


class QueueDigest(Model):
    visibility: int = 30
    """Seconds"""
    dead_letters: Text | None = None
    """ARN"""
    receives: int | None = None
    """After so many a message goes there"""


class RuleDigest(Model):
    """What EventBridge sends to queues: events of a pattern, or one now and then."""

    pattern: dict[str, Any] | None = None
    seconds: int | None = None
    """Between one and the next"""
    queues: tuple[Text, ...]
    """ARNs"""


class PollDigest(Model):
    """A queue that a function takes messages from."""

    function: str
    queue: Text
    """ARN"""
    batch: int = 10
    partial: bool = False
    """The function answers which messages it could not use (ReportBatchItemFailures)"""


class ClientDigest(Model):
    flows: tuple[str, ...]
    scopes: tuple[str, ...]
    secret: bool = False


class Digest(Model):
    functions: dict[str, FunctionDigest]
    """By the name of their folder"""
    tables: dict[str, TableDigest]
    buckets: dict[str, BucketDigest]
    queues: dict[str, QueueDigest]
    rules: dict[str, RuleDigest]
    polls: tuple[PollDigest, ...]
    state_machine: str
    pools: tuple[str, ...]
    groups: tuple[str, ...]
    clients: dict[str, ClientDigest]
    public: tuple[str, ...]
    """Paths of the API that want no token"""


def committed() -> Digest:
    return Digest.model_validate_json(COMMITTED.read_text())


def digest(template: Mapping[str, Any]) -> dict[str, Any]:
    """The digest of a synthesised template, as JSON. Raises KeyError where the template lacks what it has to have."""
    resources: Mapping[str, Any] = template["Resources"]

    def each(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, resource in sorted(resources.items()):
            if resource["Type"] == kind:
                yield name, resource.get("Properties", {})

    functions = {
        folder: _function(name, properties)
        for name, properties in each("AWS::Lambda::Function")
        if (folder := _folder(properties))
    }
    folder_of = {each.id: folder for folder, each in functions.items()}
    (machine,) = (name for name, _ in each("AWS::StepFunctions::StateMachine"))
    made = Digest(
        functions=functions,
        tables={name: _table(properties) for name, properties in each("AWS::DynamoDB::Table")},
        buckets={name: _bucket(properties) for name, properties in each("AWS::S3::Bucket")},
        queues={name: _queue(properties) for name, properties in each("AWS::SQS::Queue")},
        rules={
            name: RuleDigest(
                pattern=_resolved(properties.get("EventPattern")),
                seconds=_seconds(properties.get("ScheduleExpression")),
                queues=tuple(text(target["Arn"]) for target in properties["Targets"]),
            )
            for name, properties in each("AWS::Events::Rule")
        },
        polls=tuple(_poll(properties, folder_of) for _, properties in each("AWS::Lambda::EventSourceMapping")),
        state_machine=machine,
        pools=tuple(name for name, _ in each("AWS::Cognito::UserPool")),
        groups=tuple(str(properties["GroupName"]) for _, properties in each("AWS::Cognito::UserPoolGroup")),
        clients={name: _client(properties) for name, properties in each("AWS::Cognito::UserPoolClient")},
        public=tuple(sorted(set(_public(resources)))),
    )
    return made.model_dump(mode="json")


def text(value: Any) -> Text:
    """A template's value as text; what is computed stays a reference in it."""
    match value:
        case str() | int() | float():
            return str(value)
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Join": [str(between), list(pieces)]}:
            return between.join(map(text, pieces))
        case {"Fn::Sub": str(whole)}:
            return whole
    raise KeyError(f"a value of the template that is not understood here: {json.dumps(value)}")


def _resolved(value: Any) -> Any:
    match value:
        case list():
            return [_resolved(each) for each in value]
        case dict() if not any(key == "Ref" or key.startswith("Fn::") for key in value):
            return {key: _resolved(each) for key, each in value.items()}
        case dict():
            return text(value)
    return value


def _folder(properties: Mapping[str, Any]) -> str | None:
    """The folder under functions/ that a function's code is in; None for CDK's own."""
    found = re.fullmatch(r"functions\.(\w+)\.handler\.handler", str(properties.get("Handler")))
    return found and found[1]


def _function(name: str, properties: Mapping[str, Any]) -> FunctionDigest:
    variables = properties.get("Environment", {}).get("Variables", {})
    return FunctionDigest(
        id=name,
        timeout=properties.get("Timeout", 3),
        memory=properties.get("MemorySize", 128),
        environment={key: text(value) for key, value in sorted(variables.items())},
    )


def _table(properties: Mapping[str, Any]) -> TableDigest:
    return TableDigest(
        key=_key(properties),
        indexes={index["IndexName"]: _key(index) for index in properties.get("GlobalSecondaryIndexes", ())},
        attributes={each["AttributeName"]: each["AttributeType"] for each in properties["AttributeDefinitions"]},
        ttl=properties.get("TimeToLiveSpecification", {}).get("AttributeName"),
    )


def _key(properties: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(each["AttributeName"]) for each in properties["KeySchema"])


def _bucket(properties: Mapping[str, Any]) -> BucketDigest:
    logging = properties.get("LoggingConfiguration", {})
    return BucketDigest(
        log_bucket=text(logging["DestinationBucketName"]) if logging else None,
        log_prefix=logging.get("LogFilePrefix", ""),
        versioned=properties.get("VersioningConfiguration", {}).get("Status") == "Enabled"
        or properties.get("ObjectLockEnabled", False),
        events="EventBridgeConfiguration" in properties.get("NotificationConfiguration", {}),
    )


def _queue(properties: Mapping[str, Any]) -> QueueDigest:
    redrive = properties.get("RedrivePolicy", {})
    target = redrive.get("deadLetterTargetArn")
    return QueueDigest(
        visibility=properties.get("VisibilityTimeout", 30),
        dead_letters=text(target) if target else None,
        receives=redrive.get("maxReceiveCount"),
    )


def _seconds(schedule: str | None) -> int | None:
    """Of an expression like rate(10 minutes). Raises KeyError for another kind."""
    if schedule is None:
        return None
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    if found is None:
        raise KeyError(f"a schedule that is not understood here: {schedule}")
    return int(found[1]) * {"minute": 60, "hour": 3600, "day": 86400}[found[2]]


def _poll(properties: Mapping[str, Any], folder_of: Mapping[str, str]) -> PollDigest:
    return PollDigest(
        function=folder_of[text(properties["FunctionName"]).strip("${}").split(".")[0]],
        queue=text(properties["EventSourceArn"]),
        batch=properties.get("BatchSize", 10),
        partial="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", ()),
    )


def _client(properties: Mapping[str, Any]) -> ClientDigest:
    return ClientDigest(
        flows=tuple(sorted(properties.get("AllowedOAuthFlows", ()))),
        scopes=tuple(sorted(map(_scope, properties.get("AllowedOAuthScopes", ())))),
        secret=properties.get("GenerateSecret", False),
    )


def _scope(value: Any) -> str:
    """A scope's name; the resource server that it belongs to may be a reference."""
    return re.sub(r"^\$\{\w+\}/", "cutline/", text(value))


def _public(resources: Mapping[str, Any]) -> Iterator[str]:
    """The paths of the REST API's methods without an authorizer, but for the preflights of browsers."""
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] != "AWS::ApiGateway::Method" or properties["HttpMethod"] == "OPTIONS":
            continue
        if properties.get("AuthorizationType", "NONE") == "NONE":
            yield _path(text(properties["ResourceId"]).strip("${}"), resources)


def _path(resource_id: str, resources: Mapping[str, Any]) -> str:
    properties = resources.get(resource_id, {}).get("Properties", {})
    if "PathPart" not in properties:
        return "/"  # the API's root is no resource
    above = _path(text(properties["ParentId"]).strip("${}").split(".")[0], resources)
    return f"{above.rstrip('/')}/{properties['PathPart']}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(digest(json.loads(Path(sys.argv[1]).read_text())), indent=1, ensure_ascii=False) + "\n")
