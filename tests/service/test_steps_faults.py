"""Steps while AWS is busy, broken or slow: what passes is tried again by the state machine, and then all is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cutline.errors import InternalError, TransientError
from cutline.models.base import Model
from cutline.service.boundary import OURS, step
from cutline.settings import ServiceSettings, service
from cutline.store.bucket import Bucket
from cutline.store.clients import client
from tests.support.faults import BUSY, INSIDE_200, THROTTLED, refuse
from tests.support.scenes import texture, write_scene
from tests.support.steps import Context, Submitted, content_of, put_scene, submitted

FOR_GOOD = 20
"""Times: more than boto3 tries"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("scenes") / "a.tif", texture((1, 700, 1100)))


@pytest.fixture
def export(aws_server: ServiceSettings, scene: Path) -> Submitted:
    return submitted({"source": {"scenes": [put_scene(scene)]}})


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("plan", ("GetObject", 503, BUSY, "s3")),
        ("plan", ("PutObject", 500, INSIDE_200, "s3")),
        ("plan", ("PutItem", 400, THROTTLED, "dynamodb")),
        ("render", ("PutObject", 503, BUSY, "s3")),
        ("render", ("UpdateItem", 400, THROTTLED, "dynamodb")),
        ("assemble", ("GetObject", 503, BUSY, "s3")),
        ("assemble", ("UploadPart", 500, INSIDE_200, "s3")),
        ("assemble", ("CompleteMultipartUpload", 200, INSIDE_200, "s3")),
        ("assemble", ("PutObject", 503, BUSY, "s3")),
        ("assemble", ("UpdateItem", 500, THROTTLED, "dynamodb")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_what_passes_is_transient_and_the_next_try_is_whole(
    export: Submitted, state: str, fault: tuple[str, int, bytes, str]
) -> None:
    for name, run in _steps(export).items():
        if name == state:
            operation, status, body, of = fault
            answers = refuse(operation, status, body, FOR_GOOD, of)
            with pytest.raises(TransientError):
                run()
            answers.clear()
        run()
    kept = content_of(f"s3://{service().exports_bucket}/{export.cog_key}")
    assert export.record.result is not None and export.record.result.nbytes == len(kept)
    assert Bucket(service().exports_bucket).size(export.cog_key.replace(".tif", ".json"))
    assert "Uploads" not in client("s3").list_multipart_uploads(Bucket=service().exports_bucket)


def _steps(export: Submitted) -> dict[str, Callable[[], object]]:
    """Each as often as one likes; the second needs the first, and so on."""
    return {
        "plan": export.plan,
        "render": lambda: export.render(export.plan(), *range(export.record.tiles or 0)),
        "assemble": lambda: export.assemble(export.plan()),
    }


class Asked(Model):
    number: int


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyError("x"), OSError("disk"), InternalError("_Run lost")])
def test_what_nobody_foresaw_is_ours_and_nobodys_business(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    @step(Asked)
    def handler(task: Asked, context: Any) -> None:
        raise error

    with pytest.raises(InternalError) as told:
        handler({"number": 1}, Context())
    assert json.loads(str(told.value)) == {"code": "internal-error", "message": OURS}
    assert type(error).__name__ in caplog.text


def test_an_event_that_is_none_is_told(caplog: pytest.LogCaptureFixture) -> None:
    @step(Asked)
    def handler(task: Asked, context: Any) -> None: ...

    assert handler({"number": 1}, Context()) == {}
    with pytest.raises(InternalError, match=OURS):
        handler({"numbers": 1}, Context())
    assert "this is no Asked" in caplog.text
