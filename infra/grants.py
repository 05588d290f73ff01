"""What each function may do, with which things, and why with more than one thing of a kind.

A function that is not named here may write its log, and no more. S3 answers 403 instead of 404 to whoever may not list
a bucket: who asks whether an object is there may list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from infra.auth import Auth
from infra.data import Data
from infra.exceptions import accept_wildcard
from infra.functions import function_name
from infra.machine import execution_arn, machine_arn, map_run_arn
from infra.queues import WorkQueue
from infra.secrets import SecretsKey
from infra.settings import Deployment

READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
REMOVE = ("s3:DeleteObject",)
LOOK = ("s3:ListBucket",)
LOOK_FOR_PARTS = ("s3:ListBucket", "s3:ListBucketMultipartUploads")

EXPORTS = "keys begin with the owner and the export, neither of which a deployment knows"
PLANS = "plans of all exports; segments, which exports share, are another prefix"
SEGMENTS = "segments of all exports: whoever needs the same tile takes the same"
DOWNLOADS = "access logs of one bucket, whose names S3 makes"
UPLOADS = "keys begin with the owner, whom a deployment does not know"
ARCHIVE = "one object an attempt; Object Lock keeps what is written"
EXECUTIONS = "an execution is named by its export and attempt, a child by AWS"
LOGS = "streams are named by AWS; the group is one function's"
SOURCES = "scenes below the prefix that cutline:source_hosts names"
USER_SECRETS = "one secret a webhook or destination, made by its owner"
ROLES = "roles by which users let us into their buckets; each trusts us with an ExternalId of its own"
SENDERS = "one address, as the condition says; it may be verified by itself or by its domain"


@dataclass(frozen=True)
class Grant:
    """A statement of a role."""

    name: str
    actions: Sequence[str]
    resources: Sequence[str]
    why: str = ""
    """Where a resource is a pattern"""
    when: dict[str, dict[str, object]] | None = None
    """Conditions"""

    def give(self, function: lambda_.Function) -> None:
        """Raises ValueError for a pattern without a reason."""
        statement = iam.PolicyStatement(
            sid=self.name, actions=list(self.actions), resources=list(self.resources), conditions=self.when
        )
        function.add_to_role_policy(statement)
        for resource in self.resources:
            if "*" in resource:
                if not self.why:
                    raise ValueError(f"{self.name}: why may it use all of {resource}?")
                accept_wildcard(function.role, resource, self.why)


class Grants:
    """One method a function, of its name."""

    def __init__(
        self,
        stack: Stack,
        settings: Deployment,
        *,
        data: Data,
        auth: Auth,
        ready: WorkQueue,
        notices: WorkQueue,
        secrets: SecretsKey,
        folders: Sequence[str],
    ) -> None:
        self._stack, self._settings, self._data, self._auth = stack, settings, data, auth
        self._ready, self._notices, self._secrets, self._folders = ready, notices, secrets, folders

    def of(self, folder: str) -> list[Grant]:
        """Those of a folder of functions/."""
        grants: Callable[[], list[Grant]] | None = getattr(self, f"_{folder}", None)
        return grants() if grants else []

    def _submit(self) -> list[Grant]:
        data = self._data
        exports, work, inbox, audit = data.exports, data.work, data.inbox, data.audit
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", indexes=("gsi1", "gsi2")),
            # Requests, and what a deleted export leaves. A signed link has the rights of who signs it.
            Grant("Exports", (*READ, *WRITE, *REMOVE), [exports.arn_for_objects("*")], EXPORTS),
            Grant("ExportsBucket", LOOK_FOR_PARTS, [exports.bucket_arn]),
            Grant("Plans", (*READ, *REMOVE), [work.arn_for_objects("exports/*")], PLANS),
            Grant("WorkBucket", LOOK, [work.bucket_arn]),
            Grant("Inbox", (*READ, "s3:GetObjectVersion"), [inbox.arn_for_objects("*")], UPLOADS),
            Grant("Uploads", ("s3:PutObject",), [inbox.arn_for_objects("*/uploads/*")], UPLOADS),
            Grant("InboxBucket", (*LOOK, "s3:ListBucketVersions"), [inbox.bucket_arn]),
            Grant("RemoveUploads", (*REMOVE, "s3:DeleteObjectVersion"), [inbox.arn_for_objects("*")], UPLOADS),
            Grant("Archive", (*READ, "s3:PutObject"), [audit.arn_for_objects("*")], ARCHIVE),
            Grant("AuditBucket", LOOK, [audit.bucket_arn]),
            Grant("Start", ("states:StartExecution",), [machine_arn(self._stack)]),
            Grant("Stop", ("states:StopExecution",), [execution_arn(self._stack)], EXECUTIONS),
            *self._histories(),
            Grant("Logs", ("logs:FilterLogEvents",), [self._log_group(folder) for folder in self._folders], LOGS),
            # It makes and removes secrets, and cannot read them: a webhook's is shown once, when it is made.
            self._user_secrets("webhooks", "CreateSecret", "PutSecretValue", "DeleteSecret"),
            self._user_secrets("destinations", "CreateSecret", "DeleteSecret"),
            self._secrets_key(),
            Grant("Trial", ("lambda:InvokeFunction",), [self._function_arn("deliver")]),
            self._notices_sent(),
            *self._sources(),
        ]

    def _plan(self) -> list[Grant]:
        data = self._data
        return [
            # It opens rasters of strangers: of the table it has what an export is made of.
            self._table("GetItem", "PutItem", "UpdateItem", "Query", keys=("EXPORT#*", "QUOTA#*")),
            self._table("GetItem", keys=("DESTINATION#*",), name="Destinations"),
            Grant("Exports", READ, [data.exports.arn_for_objects("*")], EXPORTS),  # a retry may find its COG made
            Grant("ExportsBucket", LOOK, [data.exports.bucket_arn]),
            Grant("Plans", (*READ, *WRITE), [data.work.arn_for_objects("exports/*")], PLANS),
            Grant("WorkBucket", LOOK, [data.work.bucket_arn]),
            *self._sources(),
        ]

    def _render_tile(self) -> list[Grant]:
        work = self._data.work
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "Query", keys=("EXPORT#*",)),
            Grant("Plans", READ, [work.arn_for_objects("exports/*")], PLANS),
            Grant("Segments", (*READ, *WRITE), [work.arn_for_objects("segments/*")], SEGMENTS),
            Grant("WorkBucket", LOOK, [work.bucket_arn]),
            *self._sources(),
        ]

    def _assemble(self) -> list[Grant]:
        exports, work = self._data.exports, self._data.work
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "Query"),
            Grant("Plans", READ, [work.arn_for_objects("exports/*")], PLANS),
            # What is coarser than a tile it renders, and keeps for the next export of the same. Runs of segments
            # it joins, and removes, as it does what is damaged.
            Grant("Segments", (*READ, *WRITE, *REMOVE), [work.arn_for_objects("segments/*")], SEGMENTS),
            Grant("WorkBucket", LOOK_FOR_PARTS, [work.bucket_arn]),
            Grant("Exports", (*READ, *WRITE, *REMOVE), [exports.arn_for_objects("*")], EXPORTS),
            Grant("ExportsBucket", LOOK_FOR_PARTS, [exports.bucket_arn]),
        ]

    def _deliver(self) -> list[Grant]:
        exports = self._data.exports
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "Query"),
            Grant("Exports", READ, [exports.arn_for_objects("*")], EXPORTS),
            Grant("ExportsBucket", LOOK, [exports.bucket_arn]),
            # A Dropbox account gives its secret to us, not to its owner; the one before is removed.
            self._user_secrets("destinations", "GetSecretValue", "CreateSecret", "DeleteSecret"),
            self._secrets_key(),
            self._roles_of_users(),
            *self._dropbox_app(),
        ]

    def _notify(self) -> list[Grant]:
        """It tells owners by mail, with the picture or the file, and webhooks, which it signs for."""
        exports = self._data.exports
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            Grant("Exports", READ, [exports.arn_for_objects("*")], EXPORTS),
            Grant("ExportsBucket", LOOK, [exports.bucket_arn]),
            self._user_secrets("webhooks", "GetSecretValue"),
            self._secrets_key(),
            self._notices_sent(),
            *self._mail(),
        ]

    def _reconcile(self) -> list[Grant]:
        data = self._data
        exports, work, audit = data.exports, data.work, data.audit
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", indexes=("gsi2",)),
            Grant("Exports", (*READ, *REMOVE, "s3:AbortMultipartUpload"), [exports.arn_for_objects("*")], EXPORTS),
            Grant("ExportsBucket", LOOK_FOR_PARTS, [exports.bucket_arn]),
            Grant("Plans", (*READ, *REMOVE), [work.arn_for_objects("exports/*")], PLANS),
            Grant("WorkBucket", LOOK, [work.bucket_arn]),
            Grant("Archive", (*READ, "s3:PutObject"), [audit.arn_for_objects("*")], ARCHIVE),
            Grant("AuditBucket", LOOK, [audit.bucket_arn]),
            Grant("Start", ("states:StartExecution",), [machine_arn(self._stack)]),  # deliveries that go on
            *self._histories(),
            self._notices_sent(),
        ]

    def _import_aoi(self) -> list[Grant]:
        """It reads files of strangers: it sees the inbox and the records of uploads, and writes areas only."""
        inbox = self._data.inbox
        return [
            self._table("GetItem", "PutItem", "UpdateItem", keys=("UPLOAD#*",)),
            Grant("Inbox", (*READ, "s3:GetObjectVersion"), [inbox.arn_for_objects("*")], UPLOADS),
            Grant("InboxBucket", LOOK, [inbox.bucket_arn]),
            Grant("Areas", ("s3:PutObject",), [inbox.arn_for_objects("*/aois/*")], UPLOADS),
            Grant("Ready", ("sqs:SendMessage",), [self._ready.queue.queue_arn]),
        ]

    def _meter(self) -> list[Grant]:
        logs = self._data.access_logs
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
            Grant("AccessLogs", READ, [logs.arn_for_objects(f"{self._data.download_logs}*")], DOWNLOADS),
            Grant("AccessLogsBucket", LOOK, [logs.bucket_arn]),
        ]

    # What several have in common --------------------------------------------------------------------------------

    def _table(
        self, *actions: str, indexes: Sequence[str] = (), keys: Sequence[str] = (), name: str = "Table"
    ) -> Grant:
        """All of the table, or partitions by these ``keys`` alone. Transactions have no action of their own."""
        arn = self._data.table.table_arn
        places = [arn, *(f"{arn}/index/{index}" for index in indexes)]
        only: dict[str, dict[str, object]] = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
            "Null": {"dynamodb:LeadingKeys": "false"},  # "for all" holds of none, too
        }
        return Grant(name, [f"dynamodb:{action}" for action in actions], places, when=only if keys else None)

    def _mail(self) -> list[Grant]:
        users = Grant("Users", ("cognito-idp:ListUsers",), [self._auth.pool.user_pool_arn])
        senders = self._stack.format_arn(service="ses", resource="identity", resource_name="*")
        from_us: dict[str, dict[str, object]] = {"StringEquals": {"ses:FromAddress": self._settings.sender}}
        # SES asks for the older right where a mail is MIME.
        send = Grant("Send", ("ses:SendEmail", "ses:SendRawEmail"), [senders], SENDERS, when=from_us)
        return [users, send] if self._settings.sender else [users]

    def _notices_sent(self) -> Grant:
        return Grant("Notices", ("sqs:SendMessage",), [self._notices.queue.queue_arn])

    def _user_secrets(self, kind: str, *actions: str) -> Grant:
        secrets = self._stack.format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=f"{self._secrets.prefix}{kind}/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        name = f"Secrets{kind.capitalize()}"
        return Grant(name, [f"secretsmanager:{action}" for action in actions], [secrets], USER_SECRETS)

    def _secrets_key(self) -> Grant:
        """Secrets Manager uses it in the name of who asks."""
        through = f"secretsmanager.{self._stack.region}.amazonaws.com"
        when: dict[str, dict[str, object]] = {"StringEquals": {"kms:ViaService": through}}
        return Grant("SecretsKey", ("kms:GenerateDataKey", "kms:Decrypt"), [self._secrets.key.key_arn], when=when)

    def _roles_of_users(self) -> Grant:
        """Never a role of our own account: its trust in us is not a user's."""
        roles = f"arn:{self._stack.partition}:iam::*:role/*"
        elsewhere: dict[str, dict[str, object]] = {"StringNotEquals": {"aws:ResourceAccount": self._stack.account}}
        return Grant("Roles", ("sts:AssumeRole",), [roles], ROLES, when=elsewhere)

    def _function_arn(self, folder: str) -> str:
        """By name, not by reference: functions are made before what they may."""
        return self._stack.format_arn(
            service="lambda",
            resource="function",
            resource_name=function_name(self._stack, folder),
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _dropbox_app(self) -> list[Grant]:
        """The secret by which Dropbox knows this deployment, where there is one."""
        secret = self._settings.dropbox_secret
        return [Grant("DropboxApp", ("secretsmanager:GetSecretValue",), [secret])] if secret else []

    def _histories(self) -> list[Grant]:
        stack = self._stack
        of_one = ("states:DescribeExecution", "states:GetExecutionHistory", "states:ListMapRuns")
        return [
            Grant("Histories", of_one, [execution_arn(stack), execution_arn(stack, "/*")], EXECUTIONS),
            Grant("Children", ("states:ListExecutions", "states:DescribeMapRun"), [map_run_arn(stack)], EXECUTIONS),
        ]

    def _sources(self) -> list[Grant]:
        """Scenes in S3, where the settings name buckets. Another account's bucket has to allow it, too."""
        places = [f"arn:{self._stack.partition}:s3:::{place}" for place in self._settings.source_buckets]
        if not places:
            return []
        buckets = sorted({place.split("/")[0] for place in places})
        return [Grant("Sources", READ, places, SOURCES), Grant("SourceBuckets", LOOK, buckets)]

    def _log_group(self, folder: str) -> str:
        stack = self._stack
        group = f"/aws/lambda/{function_name(stack, folder)}"
        return f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:{group}:*"
