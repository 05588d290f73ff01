"""One synthesis for all tests here."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make synth` would fill, without layers, of all workers of the suite. cdk-nag has looked at it:
    this fails where it finds."""
    if shutil.which("node") is None:
        pytest.skip("the CDK runs in node, which is not here")
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cdk.out"
    with folder.with_name("cdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            from infra.app import app
            from infra.settings import defaults

            app(defaults(), made := folder.with_name("cdk.half"), built=folder / "none").synth()
            made.rename(folder)
    return folder


@pytest.fixture(scope="session")
def template(synthesised: Path) -> dict[str, Any]:
    """CloudFormation's, as JSON."""
    read: dict[str, Any] = json.loads((synthesised / "Cutline.template.json").read_text())
    return read


@pytest.fixture(scope="session")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    """By logical id."""
    found: dict[str, Any] = template["Resources"]
    return found
