"""Exports in the table: statuses that move forward only, lists by owner, and what belongs to an export."""

from __future__ import annotations

import datetime as dt

import pytest

from cutline.errors import Conflict, InvalidRequest, NotFound
from cutline.failures import failure_of
from cutline.models.record import RUNNING, Event, ExportRecord, Failure, Progress, TileRecord, now
from cutline.settings import ServiceSettings
from cutline.store.clients import client
from cutline.store.records import Records
from tests.support.exports import make_export, store
from tests.support.faults import asked


@pytest.fixture
def records(aws: ServiceSettings) -> Records:
    return Records(aws.table)


def export(number: int, owner: str = "anna", **more: object) -> ExportRecord:
    at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number)
    fields = {"export_id": f"e{number}", "attempt": 1, "owner": owner, "name": "x", "status": "PENDING"}
    return ExportRecord.model_validate({**fields, "created_at": at, "updated_at": at, "request_href": "", **more})


def tile(col: int, attempt: int = 1, **more: object) -> TileRecord:
    fields = {"row": 0, "col": col, "attempt": attempt, "state": "done", "key": "k", "at": now()}
    return TileRecord.model_validate({**fields, **more})


def test_a_record_is_read_as_it_was_written(records: Records) -> None:
    made = export(1, max_cost=0.5, warnings=("a", "b"), error=Failure(code="x", message="y", pointer="/z"))
    store(made)
    assert records.get("e1") == made
    with pytest.raises(NotFound, match="there is no export e2"):
        records.get("e2")


def test_an_attempt_moves_forward_only(records: Records) -> None:
    record = make_export()
    for number, status in enumerate(RUNNING[1:], 1):
        record = records.move(record, status, earlier=RUNNING[:number])
        assert record.status == status
    with pytest.raises(Conflict, match="is DELIVERING in attempt 1"):
        records.move(record, "RENDERING", earlier=("PENDING", "SUBMITTED"))
    done = records.move(record, "SUCCESS")
    for status in ("ERROR", "CANCELLED"):
        with pytest.raises(Conflict, match="is SUCCESS"):
            records.move(done, status)
    assert records.get("e1").status == "SUCCESS"


def test_a_late_writer_does_not_touch_the_next_attempt(records: Records) -> None:
    first = records.move(make_export(), "ERROR", error=Failure(code="x", message="y"))
    second = records.begin_again(first)
    assert (second.attempt, second.status, second.error) == (2, "PENDING", None)
    for late in (lambda: records.move(first, "RENDERING"), lambda: records.change(first, tiles=9)):
        with pytest.raises(Conflict, match="attempt 2"):
            late()
    with pytest.raises(Conflict):
        records.begin_again(first)


def test_attributes_are_changed_and_removed(records: Records) -> None:
    record = records.change(make_export(), tiles=3, error=Failure(code="x", message="y"))
    assert (record.tiles, record.error) == (3, Failure(code="x", message="y"))
    assert records.change(record, error=None).error is None
    assert records.get("e1").updated_at > record.created_at - dt.timedelta(seconds=1)


def test_an_owner_sees_their_own_newest_first_and_page_by_page(records: Records) -> None:
    for number in range(7):
        store(export(number, status="SUCCESS" if number % 2 else "ERROR"))
    store(export(8, owner="ben"))
    seen: list[str] = []
    cursor = None
    while True:
        page, cursor = records.of_owner("anna", limit=3, cursor=cursor)
        assert len(page) <= 3
        seen += [record.export_id for record in page]
        if cursor is None:
            break
    assert seen == [f"e{number}" for number in reversed(range(7))]
    successes, _ = records.of_owner("anna", status="SUCCESS")
    assert [record.export_id for record in successes] == ["e5", "e3", "e1"]


def test_a_filtered_list_goes_on_where_it_stopped(records: Records) -> None:
    for number in range(10):
        store(export(number, status="SUCCESS" if number in (0, 9) else "ERROR"))
    page, cursor = records.of_owner("anna", status="SUCCESS", limit=1)
    assert [record.export_id for record in page] == ["e9"] and cursor
    page, _ = records.of_owner("anna", status="SUCCESS", limit=1, cursor=cursor)
    assert [record.export_id for record in page] == ["e0"]


def test_a_filtered_list_is_read_by_the_hundred_and_not_to_its_end(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        store(export(number, status="SUCCESS" if number < 3 else "ERROR"))
    questions = asked("Query", "dynamodb")
    page, cursor = records.of_owner("anna", status="SUCCESS", limit=2)
    assert ([record.export_id for record in page], len(questions)) == (["e2", "e1"], 1)
    page, cursor = records.of_owner("anna", status="SUCCESS", limit=2, cursor=cursor)
    assert ([record.export_id for record in page], cursor) == (["e0"], None)
    monkeypatch.setattr("cutline.store.records.READ_AT_ONCE", 5)
    page, cursor = records.of_owner("anna", status="SUCCESS")
    assert page == [] and cursor, "25 were read, which is enough for one answer"
    page, cursor = records.of_owner("anna", status="SUCCESS", cursor=cursor)
    assert ([record.export_id for record in page], cursor) == (["e2", "e1", "e0"], None)


def test_anothers_cursor_shows_nothing_of_them(records: Records) -> None:
    for number in range(4):
        store(export(number))
    store(export(9, owner="ben"))
    _, cursor = records.of_owner("anna", limit=2)
    page, _ = records.of_owner("ben", cursor=cursor)
    assert {record.owner for record in page} <= {"ben"}
    with pytest.raises(InvalidRequest, match="cursor"):
        records.of_owner("anna", cursor="nonsense")


def test_tiles_count_by_attempt(records: Records) -> None:
    make_export()
    broken = Failure(code="invalid-scene", message="no")
    for each in (tile(0, attempt=1), tile(1), tile(2, state="empty"), tile(3, state="failed", error=broken)):
        records.put_tile("e1", each)
    records.put_tile("e1", tile(0, attempt=2))
    records.put_tile("e1", tile(4, pixels=40))
    records.put_tile("e1", tile(5, pixels=50, reused=True))
    assert records.get("e1").progress == Progress(tiles=5, pixels=90, rendered=40)
    assert [each.col for each in records.tiles("e1", 1)] == [1, 2, 3, 4, 5]
    assert [each.col for each in records.tiles("e1", 2)] == [0]


def test_billed_time_adds_up(records: Records) -> None:
    record = make_export()
    failed = Failure(code="source-unavailable", message="no")
    records.put_tile("e1", tile(0, state="failed", error=failed, billed_ms=100))
    records.put_tile("e1", tile(0, billed_ms=250))
    assert records.get("e1").billed_ms == 350
    again = records.begin_again(records.move(record, "CANCELLED"))
    assert again.billed_ms == 0, "who retries agrees to pay for it"


def test_a_late_worker_counts_nothing_in_the_next_attempt(records: Records) -> None:
    first = make_export()
    records.put_tile("e1", tile(0, pixels=10, billed_ms=100))
    records.begin_again(records.move(first, "CANCELLED"))
    records.put_tile("e1", tile(0, attempt=2, pixels=10, reused=True))
    for col in (0, 1):
        records.put_tile("e1", tile(col, pixels=10, billed_ms=1000))
    known = records.get("e1")
    assert (known.billed_ms, known.progress) == (0, Progress(tiles=1, pixels=10, rendered=0))
    assert [each.col for each in records.tiles("e1", 2)] == [0], "and does not take its tile away"


def test_a_tile_that_is_told_twice_counts_once(records: Records) -> None:
    make_export()
    for each in (tile(0, pixels=10, billed_ms=5), tile(0, pixels=10, reused=True)):
        records.put_tile("e1", each)
    assert records.get("e1").progress == Progress(tiles=1, pixels=10, rendered=10)


def test_what_is_told_of_a_deleted_export_goes_by_itself(records: Records) -> None:
    make_export()
    records.delete("e1")
    records.put_tile("e1", tile(0, billed_ms=5))
    records.add_event("e1", Event(at=now(), what="x", by="anna", attempt=1))
    items = client("dynamodb").scan(TableName=records.table)["Items"]
    left = [item for item in items if item["pk"]["S"] == "EXPORT#e1"]
    assert sorted(item["sk"]["S"][:5] for item in left) == ["EVENT", "TILE#"]
    assert all(int(item["ttl"]["N"]) <= now().timestamp() + 1 for item in left)


def test_events_are_in_order_and_once_where_wanted(records: Records) -> None:
    make_export()
    at = now()
    for what, later in (("second", 1), ("first", 0), ("second", 1)):
        event = Event(at=at + dt.timedelta(seconds=later), what=what, by="anna", attempt=1)
        records.add_event("e1", event, once=what)
    assert [event.what for event in records.events("e1")] == ["first", "second"]
    for _ in range(2):
        records.add_event("e1", Event(at=at, what="downloaded", by="anna", attempt=1))
    assert len(list(records.events("e1"))) == 4


def test_deleting_takes_everything_of_one_export(records: Records) -> None:
    for name in ("e1", "e10"):
        make_export(name)
        records.put_tile(name, tile(0))
        records.add_event(name, Event(at=now(), what="x", by="anna", attempt=1))
    records.delete("e1")
    left = {item["pk"]["S"] for item in client("dynamodb").scan(TableName=records.table)["Items"]}
    assert left == {"EXPORT#e10", "QUOTA#anna"}


@pytest.mark.parametrize(
    ("error", "cause", "code", "words"),
    [
        (
            "InvalidRequest",
            '{"errorMessage": "{\\"code\\": \\"too-large\\", \\"message\\": \\"m\\"}"}',
            "too-large",
            "m",
        ),
        ("DeliveryRejected", '{"code": "delivery-rejected", "message": "m"}', "delivery-rejected", "m"),
        ("Runtime.ExitError", '{"errorType": "Runtime.ExitError", "errorMessage": "killed"}', "worker-died", "memory"),
        ("States.Timeout", "", "timed-out", "longer than it may"),
        ("Lambda.TooManyRequestsException", "Rate Exceeded", "throttled", "no room"),
        ("KeyError", '{"errorMessage": "\'x\'", "errorType": "KeyError"}', "internal-error", "KeyError"),
        ("", "", "internal-error", "retry goes on"),
        ("States.Runtime", "[1, 2]", "internal-error", "States.Runtime"),
    ],
)
def test_what_step_functions_says_of_an_error_becomes_a_sentence(error: str, cause: str, code: str, words: str) -> None:
    failure = failure_of(error, cause)
    assert failure.code == code and words in failure.message
