"""The state machine of statemachine/export.asl.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.data import Data, named
from infra.exceptions import accept, accept_wildcard
from infra.functions import RETENTION
from infra.settings import ROOT, Deployment

DEFINITION = ROOT / "statemachine" / "export.asl.json"
TABLE = "table"
COLONS = ArnFormat.COLON_RESOURCE_NAME


def tokens(definition: str) -> frozenset[str]:
    """What stands as ``${…}`` in a definition: the table, and folders of functions/."""
    return frozenset(re.findall(r"\$\{(\w+)\}", definition))


class Machine(Construct):
    """One execution is one attempt of one export."""

    def __init__(
        self,
        scope: Construct,
        settings: Deployment,
        data: Data,
        functions: Mapping[str, lambda_.Function],
        definition: Path = DEFINITION,
    ) -> None:
        super().__init__(scope, "Machine")
        text = _bounded(definition.read_text(), settings.render_concurrency)
        self.steps = {name: functions[name] for name in sorted(tokens(text) - {TABLE})}
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/vendedlogs/states/{Stack.of(self).stack_name}",  # others outgrow a policy of AWS's
            retention=RETENTION[settings.log_days],
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.machine = sfn.StateMachine(
            self,
            "Export",
            state_machine_name=machine_name(self),
            # Inline, so that cfn-lint sees it.
            definition_body=sfn.DefinitionBody.from_string(text),
            definition_substitutions={
                TABLE: data.table.table_name,
                **{name: function.function_arn for name, function in self.steps.items()},
            },
            state_machine_type=sfn.StateMachineType.STANDARD,
            tracing_enabled=True,
            # Without the states' data: the archived history has that, for as long as it is wanted.
            logs=sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False),
        )
        named(self.machine, "Machine")
        self._grant(data)

    def _grant(self, data: Data) -> None:
        """A definition from a file grants nothing by itself."""
        tasks = data.work.arn_for_objects("exports/*/tasks.json")
        children = [execution_arn(self), execution_arn(self, "/*")]
        for sid, actions, resources in (
            ("Steps", ["lambda:InvokeFunction"], [function.function_arn for function in self.steps.values()]),
            ("Marks", ["dynamodb:PutItem", "dynamodb:UpdateItem"], [data.table.table_arn]),
            ("Tasks", ["s3:GetObject"], [tasks]),
            ("StartMap", ["states:StartExecution"], [machine_arn(self)]),
            ("FollowMap", ["states:DescribeExecution", "states:StopExecution"], children),
        ):
            self.machine.add_to_role_policy(iam.PolicyStatement(sid=sid, actions=actions, resources=resources))
        accept_wildcard(self.machine, tasks, "the map's items, one object an attempt")
        for arn in children:
            accept_wildcard(self.machine, arn, "its own executions, whose names a deployment does not know")
        accept(
            self.machine,
            "IAM5[Resource::*]",
            "X-Ray and the delivery of logs know no resources (their actions accept no other than *)",
        )


def machine_name(scope: Construct) -> str:
    return f"{Stack.of(scope).stack_name}-export"


def machine_arn(scope: Construct) -> str:
    """By name, not by reference: the machine waits for its own role, and that for what it may."""
    return Stack.of(scope).format_arn(
        service="states", resource="stateMachine", resource_name=machine_name(scope), arn_format=COLONS
    )


def execution_arn(scope: Construct, which: str = ":*") -> str:
    """``:*``: the attempts. ``/*``: the children that their maps start."""
    return Stack.of(scope).format_arn(
        service="states", resource="execution", resource_name=machine_name(scope) + which, arn_format=COLONS
    )


def map_run_arn(scope: Construct) -> str:
    """All runs of its distributed maps."""
    return Stack.of(scope).format_arn(
        service="states", resource="mapRun", resource_name=f"{machine_name(scope)}/*", arn_format=COLONS
    )


def _bounded(definition: str, concurrency: int) -> str:
    """The definition with no more tiles at once than the render function has room for: the rest would be throttled."""
    read = json.loads(definition)
    for state in read["States"].values():
        if concurrency and state["Type"] == "Map" and "DISTRIBUTED" in json.dumps(state["ItemProcessor"]):
            state["MaxConcurrency"] = min(state["MaxConcurrency"], concurrency)
    return json.dumps(read, indent=1)
