"""What the functions logged of an export, page by page."""

from __future__ import annotations

import json

import pytest

from cutline.errors import InvalidRequest
from cutline.models.record import ExportRecord
from cutline.service.logs import logs_of
from cutline.settings import ServiceSettings, service
from cutline.store.clients import client
from cutline.store.records import Records
from tests.support.exports import make_export


@pytest.fixture
def start(aws: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> int:
    """When the export was made, in milliseconds; the functions are those of a stack."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "cutline-test-submit")
    return int(make_export("e1").created_at.timestamp() * 1000)


def the_export() -> ExportRecord:
    return Records(service().table).get("e1")


def write(function: str, at: int, **told: object) -> None:
    logs, group = client("logs"), f"/aws/lambda/cutline-test-{function}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="a")
    line = {"level": "INFO", "message": "m", "export_id": "e1", "attempt": 1, **told}
    event = {"timestamp": at, "message": json.dumps(line)}
    logs.put_log_events(logGroupName=group, logStreamName="a", logEvents=[event])


def test_lines_of_all_functions_come_in_the_order_of_time(aws: ServiceSettings, start: int) -> None:
    write("assemble", start + 30, message="third")
    write("plan", start + 10, message="first", level="WARNING")
    write("render_tile", start + 20, message="second", tile="(0, 1)", exception="Traceback …", secret="s")
    told = logs_of(the_export())
    assert [(line.message, line.function, line.level) for line in told.lines] == [
        ("first", "plan", "WARNING"), ("second", "render_tile", "INFO"), ("third", "assemble", "INFO"),
    ]  # fmt: skip
    assert told.lines[1].details == {"tile": "(0, 1)"}, "and nothing that nobody thought of"
    assert told.cursor is None


def test_other_exports_and_other_lines_are_not_shown(aws: ServiceSettings, start: int) -> None:
    write("plan", start + 1, export_id="e2", message="mentions e1")
    write("plan", start - 1000, message="before its time")
    group = {"logGroupName": "/aws/lambda/cutline-test-plan", "logStreamName": "a"}
    client("logs").put_log_events(logEvents=[{"timestamp": start + 2, "message": "REPORT e1 Duration: 3 ms"}], **group)
    assert logs_of(the_export()).lines == ()


def test_pages_join_without_gaps_or_doubles(aws: ServiceSettings, start: int) -> None:
    for number in range(13):
        write("plan" if number % 2 else "render_tile", start + number // 6, message=str(number))
    seen: list[str] = []
    cursor = None
    while True:
        page = logs_of(the_export(), limit=2, cursor=cursor)
        seen += [line.message for line in page.lines]
        if (cursor := page.cursor) is None:
            break
        assert len(page.lines) == 2
    assert sorted(seen, key=int) == [str(number) for number in range(13)]


def test_one_function_alone(aws: ServiceSettings, start: int) -> None:
    write("plan", start + 1)
    write("assemble", start + 2)
    assert [line.function for line in logs_of(the_export(), function="plan").lines] == ["plan"]
    with pytest.raises(InvalidRequest, match="there is no function nobody"):
        logs_of(the_export(), function="nobody")


def test_a_cursor_of_nobody(aws: ServiceSettings, start: int) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        logs_of(the_export(), cursor="nonsense")
