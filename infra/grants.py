"""What each function may do, and with which things. A function that is not named here may write its log, and no more.

S3 says 403 instead of 404 to whoever may not list a bucket: who asks whether an object is there may list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.auth import Auth
from infra.data import Data
from infra.functions import function_name
from infra.machine import execution_arn, machine_arn
from infra.queues import WorkQueue
from infra.settings import Deployment

Statements = list[iam.PolicyStatement]

READ = ("s3:GetObject",)
WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
REMOVE = ("s3:DeleteObject",)
LOOK = ("s3:ListBucket",)
LOOK_FOR_PARTS = ("s3:ListBucket", "s3:ListBucketMultipartUploads")


class Grants(Construct):
    """One method a function, of its name."""

    def __init__(
        self, scope: Construct, settings: Deployment, data: Data, auth: Auth, ready: WorkQueue, folders: Sequence[str]
    ) -> None:
        super().__init__(scope, "Grants")
        self._settings, self._data, self._auth, self._ready, self._folders = settings, data, auth, ready, folders

    def of(self, name: str) -> Statements:
        """The statements for the function of a folder."""
        make: Callable[[], Statements] | None = getattr(self, f"_{name}", None)
        return make() if make else []

    def _submit(self) -> Statements:
        data = self._data
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            # Requests, and what a deleted export leaves; the signed links of downloads have the rights of who signs.
            _allow("Exports", (*READ, *WRITE, *REMOVE), data.exports.arn_for_objects("*")),
            _allow("ExportsBucket", LOOK_FOR_PARTS, data.exports.bucket_arn),
            _allow("Plans", (*READ, *REMOVE), data.work.arn_for_objects("exports/*")),
            _allow("WorkBucket", LOOK, data.work.bucket_arn),
            # Forms for uploads, links to originals, areas.
            _allow("Inbox", (*READ, "s3:GetObjectVersion"), data.inbox.arn_for_objects("*")),
            _allow("Uploads", ("s3:PutObject",), data.inbox.arn_for_objects("*/uploads/*")),
            _allow("InboxBucket", LOOK, data.inbox.bucket_arn),
            _allow("Archive", (*READ, "s3:PutObject"), data.audit.arn_for_objects("*")),
            _allow("AuditBucket", LOOK, data.audit.bucket_arn),
            _allow("Start", ("states:StartExecution", "states:ListExecutions"), machine_arn(self)),
            *self._follow_executions(stop=True),
            _allow("Logs", ("logs:FilterLogEvents",), *(self._log_group(folder) for folder in self._folders)),
            *self._sources(),
        ]

    def _plan(self) -> Statements:
        data = self._data
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "Query"),
            _allow("Requests", READ, data.exports.arn_for_objects("*/request.json")),
            _allow("ExportsBucket", LOOK, data.exports.bucket_arn),
            _allow("Plans", (*READ, *WRITE), data.work.arn_for_objects("exports/*")),
            _allow("Segments", READ, data.work.arn_for_objects("segments/*")),
            _allow("WorkBucket", LOOK, data.work.bucket_arn),
            _allow("Areas", READ, data.inbox.arn_for_objects("*/aois/*")),
            _allow("InboxBucket", LOOK, data.inbox.bucket_arn),
            *self._sources(),
        ]

    def _render_tile(self) -> Statements:
        data = self._data
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "Query"),
            _allow("Plans", READ, data.work.arn_for_objects("exports/*")),
            _allow("Segments", (*READ, *WRITE), data.work.arn_for_objects("segments/*")),
            _allow("WorkBucket", LOOK, data.work.bucket_arn),
            *self._sources(),
        ]

    def _assemble(self) -> Statements:
        data = self._data
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "Query"),
            _allow("Work", READ, data.work.arn_for_objects("*")),
            _allow("WorkBucket", LOOK, data.work.bucket_arn),
            _allow("Exports", (*READ, *WRITE, *REMOVE), data.exports.arn_for_objects("*")),
            _allow("ExportsBucket", LOOK_FOR_PARTS, data.exports.bucket_arn),
        ]

    def _deliver(self) -> Statements:
        data = self._data
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "Query"),
            _allow("Exports", READ, data.exports.arn_for_objects("*")),
            _allow("ExportsBucket", LOOK, data.exports.bucket_arn),
        ]

    def _notify(self) -> Statements:
        identities = Stack.of(self).format_arn(service="ses", resource="identity", resource_name="*")
        send = _allow("Send", ("ses:SendEmail",), identities)
        send.add_condition("StringEquals", {"ses:FromAddress": self._settings.sender})
        users = ("cognito-idp:ListUsers", "cognito-idp:AdminGetUser")
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "Query"),
            _allow("Users", users, self._auth.pool.user_pool_arn),
            *([send] if self._settings.sender else []),
        ]

    def _reconcile(self) -> Statements:
        data = self._data
        return [
            self._table("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            _allow("Exports", (*READ, *REMOVE, "s3:AbortMultipartUpload"), data.exports.arn_for_objects("*")),
            _allow("ExportsBucket", LOOK_FOR_PARTS, data.exports.bucket_arn),
            _allow("Plans", (*READ, *REMOVE), data.work.arn_for_objects("exports/*")),
            _allow("WorkBucket", LOOK, data.work.bucket_arn),
            _allow("Archive", (*READ, "s3:PutObject"), data.audit.arn_for_objects("*")),
            _allow("AuditBucket", LOOK, data.audit.bucket_arn),
            *self._follow_executions(stop=False),
        ]

    def _import_aoi(self) -> Statements:
        """It reads files of strangers: it sees the inbox and the records of uploads, and writes areas only."""
        inbox = self._data.inbox
        uploads = self._table("GetItem", "PutItem", "UpdateItem", indexes=False)
        uploads.add_condition("ForAllValues:StringLike", {"dynamodb:LeadingKeys": ["UPLOAD#*"]})
        return [
            uploads,
            _allow("Inbox", (*READ, "s3:GetObjectVersion"), inbox.arn_for_objects("*")),
            _allow("InboxBucket", LOOK, inbox.bucket_arn),
            _allow("Areas", ("s3:PutObject",), inbox.arn_for_objects("*/aois/*")),
            _allow("Ready", ("sqs:SendMessage",), self._ready.queue.queue_arn),
        ]

    # What several have in common --------------------------------------------------------------------------------

    def _table(self, *actions: str, indexes: bool = True) -> iam.PolicyStatement:
        table = self._data.table
        places = [table.table_arn, f"{table.table_arn}/index/*"] if indexes else [table.table_arn]
        return _allow("Table", tuple(f"dynamodb:{action}" for action in actions), *places)

    def _sources(self) -> Statements:
        """Scenes in S3, where the settings name buckets. Public ones need no right, others one of their owner, too."""
        buckets = self._settings.source_buckets
        if not buckets:
            return []
        arn = f"arn:{Stack.of(self).partition}:s3:::"
        return [
            _allow("Sources", READ, *(arn + place for place in buckets)),
            _allow("SourceBuckets", LOOK, *sorted({arn + place.split("/")[0] for place in buckets})),
        ]

    def _follow_executions(self, *, stop: bool) -> Statements:
        attempts, children = execution_arn(self), execution_arn(self, "/*")
        runs = Stack.of(self).format_arn(
            service="states", resource="mapRun", resource_name=machine_arn(self).split(":")[-1] + "/*"
        )
        what = ("states:DescribeExecution", "states:GetExecutionHistory", "states:ListMapRuns")
        return [
            _allow("Executions", (*what, "states:StopExecution") if stop else what, attempts, children),
            _allow("Children", ("states:ListExecutions", "states:DescribeMapRun"), runs),
        ]

    def _log_group(self, folder: str) -> str:
        name = f"/aws/lambda/{function_name(self, folder)}"
        stack = Stack.of(self)
        return f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:{name}:*"


def _allow(sid: str, actions: Sequence[str], *resources: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=list(actions), resources=list(resources))
