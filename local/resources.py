"""The resources of the digest, made in moto, and what the references in the digest stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.aws import ACCOUNT, REGION, Cloud, lambda_arn
from local.digest import Digest

DEFINITION = Path(__file__).parents[1] / "statemachine" / "export.asl.json"

ROLE = f"arn:aws:iam::{ACCOUNT}:role/cutline-local"
"""moto wants one and looks at it no further"""


AWS = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "cutline-local",
    "Api": "local",
}
"""References that are to nothing we make"""


class Resources:
    """What was made, by its references."""

    def __init__(self, digest: Digest, cloud: Cloud, known: Mapping[str, str]) -> None:
        """``known``: references that others make (``Console`` -> client id)."""
        self.digest = digest
        self.values = {**AWS, **known}
        self._cloud = cloud
        for name, function in digest.functions.items():
            self.values |= {function.id: name, f"{function.id}.Arn": lambda_arn(name)}
        self._make_tables()
        self._make_queues()
        self._make_buckets()
        self._make_pools()
        self._make_sender()
        self._make_state_machine()
        self._make_rules()

    def resolve(self, text: str) -> str:
        """``text`` with the values of its references. Raises KeyError for one that is not known."""
        return re.sub(r"\$\{([\w.:]+)\}", lambda found: self.values[found[1]], text)

    def environment(self, function: str) -> dict[str, str]:
        return {key: self.resolve(value) for key, value in self.digest.functions[function].environment.items()}

    def queue_url(self, arn: str) -> str:
        return self.values[f"{self.resolve(arn)}.url"]

    def setting(self, name: str) -> str:
        """What CUTLINE_… is, for whichever function has it."""
        for function in self.digest.functions:
            if value := self.environment(function).get(name):
                return value
        raise KeyError(name)

    @property
    def buckets(self) -> list[str]:
        return [local_name(name) for name in self.digest.buckets]

    @property
    def access_logs(self) -> dict[str, tuple[str, str]]:
        """Bucket -> bucket and prefix of its access logs."""
        return {
            local_name(name): (self.resolve(bucket.log_bucket), bucket.log_prefix)
            for name, bucket in self.digest.buckets.items()
            if bucket.log_bucket
        }

    @property
    def tables(self) -> list[str]:
        return [local_name(name) for name in self.digest.tables]

    def _make_tables(self) -> None:
        db = self._cloud.client("dynamodb")
        for id_, table in self.digest.tables.items():
            name = local_name(id_)
            indexes = [
                {"IndexName": index, "KeySchema": _schema(key), "Projection": {"ProjectionType": "ALL"}}
                for index, key in table.indexes.items()
            ]
            made = db.create_table(
                TableName=name,
                KeySchema=_schema(table.key),
                AttributeDefinitions=[
                    {"AttributeName": key, "AttributeType": kind} for key, kind in table.attributes.items()
                ],
                BillingMode="PAY_PER_REQUEST",
                **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
            )
            if table.ttl:
                db.update_time_to_live(
                    TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl}
                )
            self.values |= {id_: name, f"{id_}.Arn": made["TableDescription"]["TableArn"]}

    def _make_queues(self) -> None:
        sqs = self._cloud.client("sqs")
        for id_, queue in sorted(self.digest.queues.items(), key=lambda each: each[1].dead_letters or ""):
            attributes = {"VisibilityTimeout": str(queue.visibility)}
            if queue.dead_letters:  # which was made before: those without come first
                attributes["RedrivePolicy"] = json.dumps(
                    {"deadLetterTargetArn": self.resolve(queue.dead_letters), "maxReceiveCount": queue.receives}
                )
            url = sqs.create_queue(QueueName=local_name(id_), Attributes=attributes)["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            self.values |= {id_: url, f"{id_}.Arn": arn, f"{id_}.QueueName": local_name(id_), f"{arn}.url": url}

    def _make_buckets(self) -> None:
        s3 = self._cloud.client("s3")
        for id_, bucket in self.digest.buckets.items():
            name = local_name(id_)
            s3.create_bucket(Bucket=name)
            if bucket.versioned:
                s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            if bucket.events:
                s3.put_bucket_notification_configuration(
                    Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
                )
            self.values |= {id_: name, f"{id_}.Arn": f"arn:aws:s3:::{name}"}

    def _make_pools(self) -> None:
        cognito = self._cloud.client("cognito-idp")
        for id_ in self.digest.pools:
            pool = cognito.create_user_pool(PoolName=local_name(id_))["UserPool"]
            for group in self.digest.groups:
                cognito.create_group(GroupName=group, UserPoolId=pool["Id"])
            self.values |= {id_: pool["Id"], f"{id_}.Arn": pool["Arn"]}

    def _make_sender(self) -> None:
        """SES refuses senders that are not verified."""
        self._cloud.client("sesv2").create_email_identity(EmailIdentity=self.setting("CUTLINE_SENDER"))

    def _make_state_machine(self) -> None:
        # Known before it is made: functions are told its ARN, and its definition names what functions are told.
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{local_name(self.digest.state_machine)}"
        self.values |= {self.digest.state_machine: arn, f"{self.digest.state_machine}.Arn": arn}
        self._cloud.client("stepfunctions").create_state_machine(
            name=local_name(self.digest.state_machine),
            definition=re.sub(r"\$\{(\w+)\}", lambda found: self._token(found[1]), DEFINITION.read_text()),
            roleArn=ROLE,
        )
        self.state_machine = arn

    def _token(self, token: str) -> str:
        """A token of the definition: a function's folder, or a setting's name without CUTLINE_."""
        return lambda_arn(token) if token in self.digest.functions else self.setting(f"CUTLINE_{token.upper()}")

    def _make_rules(self) -> None:
        events = self._cloud.client("events")
        for id_, rule in self.digest.rules.items():
            if rule.pattern is None:  # moto's schedules never fire: schedules.py does
                continue
            events.put_rule(Name=id_, EventPattern=self.resolve(json.dumps(rule.pattern)))
            targets = [{"Id": str(number), "Arn": self.resolve(arn)} for number, arn in enumerate(rule.queues)]
            events.put_targets(Rule=id_, Targets=targets)


def local_name(logical_id: str) -> str:
    """What a resource is called here: ``DataExports1A2B3C4D`` -> ``cutline-data-exports``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", re.sub(r"[0-9A-F]{8}$", "", logical_id))
    return "-".join(["cutline", *(word.lower() for word in words if word.lower() != "cutline")])


def _schema(key: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(key, ("HASH", "RANGE"), strict=False)]
