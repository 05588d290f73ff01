"""All that functions import, and boto3's descriptions of AWS's services, so that it is done once for all of them
(``local.process``).

What fails here fails again in the functions that need it, and is told by them. Modules that look at the environment
while they are imported must not be among these: it is the server's.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil

import boto3
import botocore.session

import cutline.service

SERVICES = ("dynamodb", "lambda", "logs", "s3", "secretsmanager", "sesv2", "sqs", "stepfunctions")

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]

for module in pkgutil.walk_packages(cutline.service.__path__, f"{cutline.service.__name__}."):
    with contextlib.suppress(Exception):
        importlib.import_module(module.name)

with contextlib.suppress(Exception):
    core = botocore.session.get_session()
    for service in SERVICES:
        core.create_client(service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106
    boto3.setup_default_session(botocore_session=core)
