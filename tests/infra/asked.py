"""What functions ask of AWS while they run, and whether their roles in the template allow it.

moto answers everything; so the calls are written down on their way, in the words of IAM, and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from botocore.client import BaseClient

from cutline.settings import ServiceSettings
from tests.infra.reading import Resources, functions_of, listed, statements_of, text

ACCOUNT, REGION = "123456789012", "us-east-1"
ACCESS_LOGS = "cutline-test-logs"
ANYTHING_ELSE = "scenes"
"""A bucket that the deployment's settings would name; its rights are another test's"""


@dataclass(frozen=True)
class Asked:
    """One action on one resource, with what conditions look at."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict, hash=False)


class Recorder:
    """Which function asked for what."""

    def __init__(self, monkeypatch: Any) -> None:
        self.asked: dict[str, list[Asked]] = {}
        self._acting: str | None = None
        through = BaseClient._make_api_call

        def noting(client: Any, operation: str, params: dict[str, Any]) -> Any:
            if self._acting is not None:
                service = client.meta.service_model.service_name
                self.asked.setdefault(self._acting, []).extend(in_words_of_iam(service, operation, params))
            return through(client, operation, params)

        monkeypatch.setattr(BaseClient, "_make_api_call", noting)

    @contextmanager
    def acting(self, function: str) -> Iterator[None]:
        """What is asked inside is asked by ``function``."""
        self._acting = function
        try:
            yield
        finally:
            self._acting = None


# Calls in the words of IAM -----------------------------------------------------------------------------------------

OBJECT = {
    "GetObject": "GetObject", "HeadObject": "GetObject", "PutObject": "PutObject", "DeleteObject": "DeleteObject",
    "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject", "CompleteMultipartUpload": "PutObject",
    "UploadPartCopy": "PutObject", "AbortMultipartUpload": "AbortMultipartUpload",
    "ListParts": "ListMultipartUploadParts",
}  # fmt: skip
BUCKET = {
    "ListObjectsV2": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "HeadBucket": "ListBucket",
}
PIECES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def in_words_of_iam(service: str, operation: str, params: Mapping[str, Any]) -> list[Asked]:
    """Fails for a call that nobody has put into these words yet."""
    translate: dict[str, Callable[[str, Mapping[str, Any]], list[Asked]]] = {
        "s3": _of_s3, "dynamodb": _of_dynamodb, "stepfunctions": _of_states, "sqs": _of_sqs, "sesv2": _of_ses,
        "cognito-idp": _of_cognito, "logs": _of_logs, "secretsmanager": _of_secrets,
        "lambda": _of_lambda,
    }  # fmt: skip
    return translate[service](operation, params)


def _of_s3(operation: str, params: Mapping[str, Any]) -> list[Asked]:
    bucket = f"arn:aws:s3:::{params['Bucket']}"
    if params["Bucket"] == ANYTHING_ELSE:
        return []
    if operation == "DeleteObjects":
        return [
            Asked(f"s3:DeleteObject{'Version' if 'VersionId' in each else ''}", f"{bucket}/{each['Key']}")
            for each in params["Delete"]["Objects"]
        ]
    if operation in BUCKET:
        return [Asked(f"s3:{BUCKET[operation]}", bucket)]
    asked = [Asked(f"s3:{OBJECT[operation]}", f"{bucket}/{params['Key']}")]
    if operation == "GetObject" and "VersionId" in params:
        asked = [Asked("s3:GetObjectVersion", f"{bucket}/{params['Key']}")]
    if operation == "UploadPartCopy":
        source = params["CopySource"]
        asked.append(Asked("s3:GetObject", f"arn:aws:s3:::{source['Bucket']}/{source['Key']}"))
    return asked


def _of_dynamodb(operation: str, params: Mapping[str, Any]) -> list[Asked]:
    if operation == "TransactWriteItems":
        return [_of_item(PIECES[kind], piece) for each in params["TransactItems"] for kind, piece in each.items()]
    return [_of_item(operation, params)]


def _of_item(operation: str, params: Mapping[str, Any]) -> Asked:
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    key = params.get("Key") or params.get("Item") or {}
    pk = key["pk"] if key else params.get("ExpressionAttributeValues", {}).get(":pk")  # a query's
    context = {"dynamodb:LeadingKeys": pk["S"]} if pk else {}
    resource = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{params['TableName']}{index}"
    return Asked(f"dynamodb:{operation}", resource, context)


def _of_states(operation: str, params: Mapping[str, Any]) -> list[Asked]:
    where = next(params[name] for name in ("stateMachineArn", "executionArn", "mapRunArn") if name in params)
    return [Asked(f"states:{operation}", where)]


def _of_sqs(operation: str, params: Mapping[str, Any]) -> list[Asked]:
    return [Asked(f"sqs:{operation}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{params['QueueUrl'].rsplit('/')[-1]}")]


def _of_ses(operation: str, params: Mapping[str, Any]) -> list[Asked]:
    sender = params["FromEmailAddress"]
    identity = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{sender}"
    action = "SendRawEmail" if "Raw" in params["Content"] else operation
    return [Asked(f"ses:{action}", identity, {"ses:FromAddress": sender})]


def _of_cognito(operation: str, params: Mapping[str, Any]) -> list[Asked]:
    return [
        Asked(f"cognito-idp:{operation}", f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{params['UserPoolId']}")
    ]


def _of_secrets(operation: str, params: Mapping[str, Any]) -> list[Asked]:
    name = params.get("SecretId") or params["Name"]
    return [Asked(f"secretsmanager:{operation}", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-a1B2c3")]


def _of_lambda(operation: str, params: Mapping[str, Any]) -> list[Asked]:
    action = {"Invoke": "InvokeFunction"}[operation]
    return [Asked(f"lambda:{action}", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{params['FunctionName']}")]


def _of_logs(operation: str, params: Mapping[str, Any]) -> list[Asked]:
    return [Asked(f"logs:{operation}", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{params['logGroupName']}:*")]


# Roles -------------------------------------------------------------------------------------------------------------


def known_on_deployment(settings: ServiceSettings) -> dict[str, str]:
    """What stands for the template's references in a test."""
    return {
        "<AWS::Partition>": "aws",
        "<AWS::Region>": REGION,
        "<AWS::AccountId>": ACCOUNT,
        "<Exports.Arn>": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{settings.table}",
        "<Work.Arn>": f"arn:aws:s3:::{settings.work_bucket}",
        "<Results.Arn>": f"arn:aws:s3:::{settings.exports_bucket}",
        "<Inbox.Arn>": f"arn:aws:s3:::{settings.inbox_bucket}",
        "<AccessLogs.Arn>": f"arn:aws:s3:::{ACCESS_LOGS}",
        "<Audit.Arn>": f"arn:aws:s3:::{settings.audit_bucket}",
        "<ReadyQueue.Arn>": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{settings.ready_queue.rsplit('/')[-1]}",
        "<NotifyQueue.Arn>": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{settings.notify_queue.rsplit('/')[-1]}",
        "<Users.Arn>": f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{settings.user_pool}",
        "Cutline-export": settings.state_machine.rsplit(":")[-1],
    }


class Role:
    """Of a function, with the names that resources have in a test."""

    def __init__(self, resources: Resources, function: str, known: Mapping[str, str]) -> None:
        self._known = known
        role = text(functions_of(resources)[function]["Role"]).strip("<>").split(".")[0]
        self._statements = list(statements_of(resources, role))

    def allows(self, asked: Asked) -> bool:
        """By some statement whose actions, resources and conditions all hold."""
        return any(self._holds(statement, asked) for statement in self._statements if statement["Effect"] == "Allow")

    def _holds(self, statement: Mapping[str, Any], asked: Asked) -> bool:
        return (
            asked.action in listed(statement["Action"])
            and any(fnmatchcase(asked.resource, self._named(each)) for each in listed(statement["Resource"]))
            and all(self._meets(test, asked) for test in statement.get("Condition", {}).items())
        )

    def _meets(self, condition: tuple[str, Mapping[str, Any]], asked: Asked) -> bool:
        operator, wanted = condition
        if operator == "Null":
            return all((key in asked.context) == (absent == "false") for key, absent in wanted.items())
        assert operator in {"StringEquals", "ForAllValues:StringLike"}, operator
        return all(
            any(fnmatchcase(asked.context.get(key, ""), pattern) for pattern in listed(patterns))
            for key, patterns in wanted.items()
        )

    def _named(self, resource: Any) -> str:
        named = text(resource)
        for reference, value in self._known.items():
            named = named.replace(reference, value)
        return named
