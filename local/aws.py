"""moto as AWS's APIs, in this process, and clients of it."""

from __future__ import annotations

import logging
import os
from typing import Any

import boto3
from botocore.config import Config
from moto.core.config import default_user_config
from moto.core.responses import ActionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser
from moto.stepfunctions.responses import StepFunctionResponse

ACCOUNT = "123456789012"
REGION = "us-east-1"

INTERPRETER = ("ak", "sk")
"""What moto's state machine interpreter signs with when it calls other services"""


def application(port: int) -> DomainDispatcherApplication:
    """All of AWS as one WSGI application, whose state machines really run and call what is at ``port``."""
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    default_user_config["lambda"] = {"use_docker": False}
    os.environ["MOTO_PORT"] = str(port)
    logging.getLogger("moto").addHandler(logging.NullHandler())  # it tells of every error that a state machine catches
    StepFunctionResponse.list_executions = list_executions  # type: ignore[method-assign]
    ASLParser.state_machine = state_machine
    return DomainDispatcherApplication(create_backend_app)


_list_executions = StepFunctionResponse.list_executions


def list_executions(response: StepFunctionResponse) -> ActionResult:
    """moto's, which fails for the children of a distributed map: those run inside their parent, so there are none."""
    return ActionResult({"executions": []}) if response._get_param("mapRunArn") else _list_executions(response)


_state_machine = ASLParser.state_machine
_trees: dict[str, ASLParser.State_machineContext] = {}


def state_machine(parser: ASLParser) -> ASLParser.State_machineContext:
    """moto's, which parses a definition for each execution anew: a quarter of a second for ours."""
    definition = parser.getTokenStream().tokenSource.inputStream.strdata
    if definition not in _trees:
        tree = _state_machine(parser)
        if parser.getNumberOfSyntaxErrors():
            return tree
        _trees[definition] = tree
    return _trees[definition]


class Cloud:
    """Who and where we are, for whoever calls these APIs."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self.url, self.key, self.secret = url, key, secret

    def client(self, service: str) -> Any:
        """A client that is patient with a busy machine, and addresses S3 by path."""
        session: Any = boto3
        return session.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=Config(
                read_timeout=900,
                retries={"max_attempts": 2},
                signature_version=None if service != "s3" else "s3v4",
                s3={"addressing_style": "path"},
            ),
        )

    def environment(self) -> dict[str, str]:
        """What makes AWS's SDKs, and GDAL's S3, speak to us."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def lambda_arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
