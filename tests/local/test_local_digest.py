"""How the deployment's resources are read. That the committed digest is up to date is tested with the template."""

from __future__ import annotations

import pytest

from local.digest import committed, text
from local.resources import local_name
from tests.support.local import ROOT


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
