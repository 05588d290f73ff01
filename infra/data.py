"""Where things are kept: one table and the buckets."""

from __future__ import annotations

from typing import Any, cast

from aws_cdk import CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct, IConstruct

from infra.settings import Deployment

SEGMENT_DAYS, MULTIPART_DAYS, ACCESS_LOG_DAYS = 7, 2, 90


def named(construct: IConstruct, logical_id: str) -> None:
    """Give a resource a logical id that stays when constructs are moved about: what is kept must never be replaced."""
    cast(CfnResource, construct.node.default_child).override_logical_id(logical_id)


class Data(Construct):
    """The exports table and the buckets inbox, work, exports and audit. All of it outlives the stack."""

    def __init__(self, scope: Construct, settings: Deployment) -> None:
        super().__init__(scope, "Data")
        self.table = self._table()
        self.access_logs = self._bucket(
            "AccessLogs",
            lifecycle_rules=[self._expire(ACCESS_LOG_DAYS)],
        )
        self.inbox = self._bucket(
            "Inbox",
            logged=True,
            versioned=True,  # a file dropped again is another upload, and the first one's export keeps its original
            lifecycle_rules=[self._abort()],
        )
        self.work = self._bucket("Work", logged=True, lifecycle_rules=[self._abort(), self._expire(SEGMENT_DAYS)])
        keep = [self._expire(settings.exports_days)] if settings.exports_days else []
        self.exports = self._bucket("Results", logged=True, lifecycle_rules=[self._abort(), *keep])
        self.audit = self._bucket(
            "Audit",
            logged=True,
            object_lock_enabled=True,
            # Governance: someone with a right of its own (s3:BypassGovernanceRetention) can still delete on demand of
            # a court or a person; no role of ours has it.
            object_lock_default_retention=s3.ObjectLockRetention.governance(Duration.days(settings.audit_days)),
            lifecycle_rules=[self._abort()],
        )
        self.download_logs = _log_prefix("Results")
        """What the names of the logs begin with that tell of downloads"""
        for bucket in (self.inbox, self.access_logs):
            _tell_of_changes(bucket)

    def _table(self) -> dynamodb.Table:
        def text(name: str) -> dynamodb.Attribute:
            return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)

        table = dynamodb.Table(
            self,
            "Exports",
            partition_key=text("pk"),
            sort_key=text("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="ttl",
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        for index in ("gsi1", "gsi2"):
            table.add_global_secondary_index(
                index_name=index, partition_key=text(f"{index}pk"), sort_key=text(f"{index}sk")
            )
        named(table, "Exports")
        return table

    def _bucket(self, name: str, *, logged: bool = False, **options: Any) -> s3.Bucket:
        if logged:
            options |= {"server_access_logs_bucket": self.access_logs, "server_access_logs_prefix": _log_prefix(name)}
        bucket = s3.Bucket(
            self,
            name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=RemovalPolicy.RETAIN,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            **options,
        )
        named(bucket, name)
        return bucket

    @staticmethod
    def _abort() -> s3.LifecycleRule:
        return s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(MULTIPART_DAYS))

    @staticmethod
    def _expire(days: int) -> s3.LifecycleRule:
        return s3.LifecycleRule(expiration=Duration.days(days))


def _log_prefix(name: str) -> str:
    """What the access logs of a bucket begin with."""
    return f"{name.lower()}/"


def _tell_of_changes(bucket: s3.Bucket) -> None:
    """To EventBridge, without a custom resource, which the higher-level property would bring."""
    cast(
        s3.CfnBucket, bucket.node.default_child
    ).notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )
