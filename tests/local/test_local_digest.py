"""What the local service takes over is what is deployed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.digest import COMMITTED, committed, digest, text
from local.resources import local_name
from tests.support.local import ROOT


@pytest.mark.skipif(shutil.which("node") is None, reason="CDK synthesises with node")
def test_the_committed_digest_is_that_of_the_stack(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "infra/app.py"], cwd=ROOT, env={**os.environ, "CDK_OUTDIR": str(tmp_path)}, check=True,
        capture_output=True,
    )  # fmt: skip
    template = json.loads((tmp_path / "Cutline.template.json").read_text())
    assert digest(template) == json.loads(COMMITTED.read_text()), (
        "infra/ has changed: synthesise, then python -m local.digest …/Cutline.template.json > local/resources.json"
    )


def test_every_function_is_a_folder_and_every_folder_a_function() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    assert set(committed().functions) == folders


def test_references_stay_in_texts() -> None:
    value = {"Fn::Join": ["", ["https://", {"Ref": "Api"}, ".", {"Fn::GetAtt": ["Table", "Arn"]}]]}
    assert text(value) == "https://${Api}.${Table.Arn}"
    with pytest.raises(KeyError, match="not understood"):
        text({"Fn::ImportValue": "x"})


def test_names_are_readable() -> None:
    assert local_name("Exports") == "cutline-exports"
    assert local_name("DataAccessLogs1A2B3C4D") == "cutline-data-access-logs"
