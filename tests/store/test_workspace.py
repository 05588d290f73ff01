"""Both workspaces keep what they are given, by the same words."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from cutline.errors import TransientError
from cutline.settings import ServiceSettings
from cutline.store.s3_workspace import FRESH, S3Workspace
from cutline.store.workspace import Folder, Workspace


@pytest.fixture(params=["folder", "S3"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    if request.param == "folder":
        return Folder(tmp_path)
    settings: ServiceSettings = request.getfixturevalue("aws")
    return S3Workspace(settings.work_bucket)


def test_pieces_come_back_as_one(workspace: Workspace) -> None:
    workspace.put("a/0.segment", b"one", bytearray(b"two"), b"")
    assert workspace.get("a/0.segment") == b"onetwo"
    assert workspace.size("a/0.segment") == 6


@pytest.mark.parametrize(
    ("start", "stop", "content"), [(1, 3, b"bc"), (0, 99, b"abcdef"), (4, None, b"ef"), (6, 9, b""), (2, 2, b"")]
)
def test_a_part(workspace: Workspace, start: int, stop: int | None, content: bytes) -> None:
    workspace.put("a", b"abcdef")
    assert workspace.get("a", start, stop) == content


def test_nothing_is_none(workspace: Workspace) -> None:
    workspace.put("empty")
    assert workspace.get("empty") == b"" and workspace.size("empty") == 0
    assert workspace.get("missing") is None and workspace.size("missing") is None
    workspace.remove("missing")


def test_removed_is_gone(workspace: Workspace) -> None:
    workspace.put("a", b"abc")
    workspace.remove("a")
    assert workspace.get("a") is None


def test_the_last_writer_wins(workspace: Workspace) -> None:
    before = workspace.put("a", b"first")
    after = workspace.put("a", b"second")
    assert workspace.get("a") == b"second"
    assert before is after is None or before != after


def test_where_it_is(aws: ServiceSettings, tmp_path: Path) -> None:
    assert Folder(tmp_path).where("a/b") == str(tmp_path / "a" / "b")
    assert S3Workspace(aws.work_bucket).where("a/b") == f"s3://{aws.work_bucket}/segments/a/b"


@pytest.mark.parametrize(("age", "there"), [(FRESH - dt.timedelta(minutes=1), True), (FRESH, False)])
def test_what_is_old_counts_as_missing(aws: ServiceSettings, age: dt.timedelta, there: bool) -> None:
    workspace = S3Workspace(aws.work_bucket)
    workspace.put("a", b"abc")
    kept = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object(aws.work_bucket, workspace.key("a"))
    kept.last_modified -= age
    assert (workspace.get("a") is not None, workspace.size("a") is not None) == (there, there)
    assert S3Workspace(aws.work_bucket, fresh=None).get("a") == b"abc"


def test_a_server_that_is_not_there(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with pytest.raises(TransientError):
        S3Workspace(aws.work_bucket).size("a")
