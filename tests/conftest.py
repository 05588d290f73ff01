"""Fixtures for tests anywhere below."""

from tests.support.aws import aws, aws_server, impatient, moto_url

__all__ = ["aws", "aws_server", "impatient", "moto_url"]
