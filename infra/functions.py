"""The Lambda functions: each folder of functions/ is one.

Its name is its id here, its token in the state machine and its dimension in the logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.assets import Assets
from infra.data import named
from infra.exceptions import accept
from infra.settings import ROOT, Deployment

FOLDERS = tuple(
    sorted(path.name for path in (ROOT / "functions").iterdir() if path.is_dir() and path.name[0] not in "._")
)


@dataclass(frozen=True)
class Room:
    """What a function gets to work with."""

    timeout: int = 900
    """Seconds"""
    memory: int = 1024
    """MB; 1,769 are one core"""
    disk: int = 512
    """MB of /tmp"""
    layer: str = "gdal"


ROOMS = {
    "submit": Room(timeout=29),  # API Gateway waits no longer
    "plan": Room(memory=3008),
    "render_tile": Room(memory=3008),  # one core and a half: GDAL's threads are off, and HTTP overlaps with rendering
    "assemble": Room(memory=3008),
    "deliver": Room(layer="delivery"),
    "meter": Room(timeout=120, memory=512, layer="delivery"),
    "notify": Room(timeout=60, memory=512, layer="delivery"),
    "reconcile": Room(timeout=300, memory=512),
    "import_aoi": Room(timeout=300, memory=2048, disk=2048, layer="ogr"),
}
"""Where it is not the default"""

RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
}


def room_of(folder: str) -> Room:
    return ROOMS.get(folder, Room())


class Functions(Construct):
    """All functions by the names of their folders."""

    def __init__(self, scope: Construct, settings: Deployment, assets: Assets, environment: Mapping[str, str]) -> None:
        super().__init__(scope, "Functions")
        self._settings, self._assets, self._environment = settings, assets, environment
        self.by_name = {name: self._function(name) for name in FOLDERS}

    def _function(self, name: str) -> lambda_.Function:
        room, full_name = room_of(name), function_name(self, name)
        group = logs.LogGroup(
            self,
            f"{name}-logs",
            log_group_name=f"/aws/lambda/{full_name}",
            retention=RETENTION[self._settings.log_days],
            removal_policy=RemovalPolicy.DESTROY,
        )
        reserved = self._settings.render_concurrency if name == "render_tile" else 0
        function = lambda_.Function(
            self,
            name,
            function_name=full_name,
            runtime=self._assets.runtime,
            architecture=self._assets.architecture,
            handler=f"functions.{name}.handler.handler",
            code=self._assets.code,
            layers=[self._assets.layers[room.layer]],
            timeout=Duration.seconds(room.timeout),
            memory_size=self._settings.memory.get(name, room.memory),
            ephemeral_storage_size=Size.mebibytes(room.disk),
            reserved_concurrent_executions=reserved or None,
            environment={**self._environment, "POWERTOOLS_SERVICE_NAME": "cutline"},
            role=self._role(name, group),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=group,
        )
        accept(function, "L1", "the runtime that make layers builds for, which all wheels of the locks exist for")
        named(function, "".join(word.capitalize() for word in name.split("_")))
        return function

    def _role(self, name: str, group: logs.LogGroup) -> iam.Role:
        """What every function may; the rest is in grants.py. Not AWS's managed policy, which opens every log group."""
        role = iam.Role(self, f"{name}-role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[group.log_group_arn],  # ends in ":*", its streams
            )
        )
        accept(role, "IAM5[Resource::*]", "X-Ray knows no resources: xray:PutTraceSegments accepts no other than *")
        return role


def function_name(scope: Construct, folder: str) -> str:
    """As AWS has it. Known beforehand, so that who may read whose logs can be said without a circle."""
    return f"{Stack.of(scope).stack_name}-{folder}"
