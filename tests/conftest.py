"""Fixtures for tests anywhere below."""

from tests.support.aws import aws, aws_server, impatient, moto_url, whole_calls

__all__ = ["aws", "aws_server", "impatient", "moto_url", "whole_calls"]
