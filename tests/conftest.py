"""Fixtures for tests anywhere below."""

from __future__ import annotations

import signal

from tests.support.aws import aws, aws_server, impatient, moto_url, whole_calls

__all__ = ["aws", "aws_server", "impatient", "moto_url", "whole_calls"]


def pytest_configure() -> None:
    """Tests press Ctrl-C, which whatever a shell starts in the background is told to ignore, and its children with it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
