"""Fixtures for tests anywhere below."""

from __future__ import annotations

import gc
import signal
from typing import Any

import pytest

from local import lean  # noqa: F401
from tests.support.aws import aws, aws_server, impatient, moto_url, whole_calls

__all__ = ["aws", "aws_server", "impatient", "moto_url", "whole_calls"]


def pytest_configure() -> None:
    """Tests press Ctrl-C, which what a shell starts in the background is told to ignore, and its children with it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)  # there may be no xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """By which a worker gets whole files, and all those of which many share what is slow to make."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            folder = file.rpartition("/")[0]
            return folder if folder.endswith("/one_service") else file

    return Together(config, log)


def pytest_collection_finish() -> None:
    """What was collected stays, and is not looked at again with every collection of garbage."""
    gc.collect()
    gc.freeze()
