"""The state machine as a graph: what it names exists, every state is reached, and what it carries is small."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cutline.errors import FAMILIES
from cutline.models.task import (
    Assembled,
    AssembleTask,
    Delivered,
    DeliveryTask,
    ExportTask,
    Planned,
    Progressed,
    RoomTask,
    TileTask,
)
from cutline.store.plans import MAX_ITEMS, groups
from tests.support.interpreter import ASL

State = dict[str, Any]
MACHINE = json.loads(ASL.read_text())
FUNCTIONS = Path(__file__).parents[2] / "functions"
TRIGGERED = {"submit", "import_aoi", "reconcile", "meter"}
"""Functions that are no states: the API, the inbox and the ends of executions call them"""
LEAVES = {"what", "export_id", "attempt", "plan_href", "tiles", "delivery_id", "cog_href", "execution"}
"""All that a Lambda is ever given: ids and hrefs"""
OF_AWS = {
    # docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    "States.ALL", "States.Timeout", "States.ItemReaderFailed",
    # …/connect-lambda.html, and what the Lambda service reports of a runtime that ends without an answer
    "Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.AWSLambdaException",
    "Lambda.SdkClientException", "Lambda.ClientExecutionTimeoutException", "Lambda.Unknown",
    "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory",
    # errors of DynamoDB's API, under the name that its integration gives them
    "DynamoDB.ConditionalCheckFailedException", "DynamoDB.ProvisionedThroughputExceededException",
    "DynamoDB.RequestLimitExceeded", "DynamoDB.ThrottlingException", "DynamoDB.TransactionConflictException",
    "DynamoDB.InternalServerError", "DynamoDB.InternalServerErrorException", "DynamoDB.SdkClientException",
}  # fmt: skip
MODELS: dict[str, tuple[type, type | None]] = {
    # token, and where it does several things what it is asked for -> what it takes, what it answers
    "plan": (ExportTask, Planned),
    "render_tile": (TileTask, Progressed),
    "assemble": (AssembleTask, Assembled),
    "deliver deliver": (DeliveryTask, Delivered),
    "deliver room": (RoomTask, None),
    "notify": (ExportTask, None),
}
SMALL = 64 * 1024


def machines(machine: State = MACHINE) -> Iterator[State]:
    """The machine, and those inside its maps."""
    yield machine
    for state in machine["States"].values():
        if state["Type"] == "Map":
            yield from machines(state["ItemProcessor"])


def states() -> Iterator[tuple[str, State]]:
    for machine in machines():
        yield from machine["States"].items()


def tasks() -> list[tuple[str, State]]:
    return [(name, state) for name, state in states() if state["Type"] == "Task"]


def lambdas() -> list[tuple[str, State]]:
    return [(name, state) for name, state in tasks() if state["Resource"].endswith("lambda:invoke")]


def token_of(state: State) -> str:
    return str(state["Parameters"]["FunctionName"]).strip("${}")


def nexts(state: State) -> Iterator[str]:
    if "Next" in state:
        yield state["Next"]
    if "Default" in state:
        yield state["Default"]
    for way in [*state.get("Choices", ()), *state.get("Catch", ())]:
        yield way["Next"]


@pytest.mark.parametrize("machine", list(machines()), ids=lambda machine: machine["StartAt"])
def test_every_state_is_reached_and_leads_somewhere(machine: State) -> None:
    reached, todo = set(), [machine["StartAt"]]
    while todo:
        name = todo.pop()
        assert name in machine["States"], f"there is no state {name}"
        if name not in reached:
            reached.add(name)
            todo += nexts(machine["States"][name])
    assert reached == set(machine["States"])
    for name, state in machine["States"].items():
        ends = state.get("End") or state["Type"] in {"Succeed", "Fail"}
        assert bool(ends) != bool(list(nexts(state))), f"{name} ends or goes on, not both and not neither"


def test_names_are_of_one_state_each() -> None:
    names = [name for name, _ in states()]
    assert len(names) == len(set(names))


def test_every_token_has_a_folder_and_every_folder_a_state_or_a_trigger() -> None:
    tokens = set(re.findall(r"\$\{(\w+)\}", ASL.read_text())) - {"table"}
    folders = {path.parent.name for path in FUNCTIONS.glob("*/handler.py")}
    assert tokens == {name.split()[0] for name in MODELS}
    assert tokens | TRIGGERED == folders


@pytest.mark.parametrize(("name", "state"), tasks())
def test_every_task_retries_and_catches(name: str, state: State) -> None:
    assert state["Retry"]
    assert {"States.ALL"} in [set(each["ErrorEquals"]) for each in state["Catch"]]
    for each in state["Retry"]:
        assert each["MaxAttempts"] > 0 and each["BackoffRate"] >= 1
    if state["Resource"].endswith("lambda:invoke"):
        assert state["TimeoutSeconds"] <= 900, "a Lambda runs no longer"


@pytest.mark.parametrize(("name", "state"), [each for each in states() if "Retry" in each[1] or "Catch" in each[1]])
def test_every_error_that_is_matched_exists(name: str, state: State) -> None:
    ours = {family.__name__ for family in FAMILIES}
    for rule in [*state.get("Retry", ()), *state.get("Catch", ())]:
        for error in rule["ErrorEquals"]:
            assert error in OF_AWS or error in ours, error
        if "States.ALL" in rule["ErrorEquals"]:
            assert len(rule["ErrorEquals"]) == 1, "AWS wants it alone"


@pytest.mark.parametrize(("name", "state"), lambdas())
def test_only_what_passes_is_tried_again(name: str, state: State) -> None:
    """A request that is wrong, or over a quota, stays so."""
    retried = {error for rule in state["Retry"] for error in rule["ErrorEquals"]}
    assert retried & {family.__name__ for family in FAMILIES} == {"TransientError"}


@pytest.mark.parametrize(("name", "state"), lambdas())
def test_lambdas_are_given_what_their_models_want(name: str, state: State) -> None:
    payload = state["Parameters"]["Payload"]
    takes, answers = MODELS[" ".join([token_of(state), *([payload["what"]] if "what" in payload else [])])]
    given = {key.removesuffix(".$") for key in payload}
    assert given == set(takes.model_fields) <= LEAVES
    wanted = {path.removeprefix("$.Payload.") for path in state.get("ResultSelector", {}).values()}
    assert wanted <= set(answers.model_fields if answers else ())


def test_marks_name_their_attempt_and_move_forward() -> None:
    order = ["PENDING", "SUBMITTED", "RENDERING", "DELIVERING", "SUCCESS", "ERROR"]
    marks = [(name, state["Parameters"]) for name, state in states() if name.startswith("Mark")]
    assert len(marks) == 4
    for name, mark in marks:
        condition, values = mark["ConditionExpression"], mark["ExpressionAttributeValues"]
        assert condition.startswith("attempt = :attempt AND #status IN ("), name
        new = values[":status"]["S"]
        assert values[":by_status"]["S"] == f"STATUS#{new}"
        listed = re.findall(r":\w+", condition.partition("IN")[2])
        earlier = [values[each]["S"] for each in listed]
        assert earlier and all(order.index(each) <= order.index(new) for each in earlier), name
        assert "SUCCESS" not in earlier or new == "SUCCESS", "what succeeded stays so"


def test_nothing_of_a_user_becomes_part_of_an_expression() -> None:
    text = ASL.read_text()
    formats = re.findall(r"States\.Format\('([^']*)', ([^\"]*)\)", text)
    assert {arguments for _, arguments in formats} == {
        "$.export_id", "$.attempt", "$.attempt, States.ArrayGetItem($.tiles, 0)",
    }  # fmt: skip


def test_an_execution_ends_within_the_hour_that_is_promised() -> None:
    assert MACHINE["TimeoutSeconds"] == 3600


def longest(tiles: int) -> tuple[State, State, str]:
    """The largest state of the machine and of a child, and the largest input of the map, for so many tiles; names and
    hrefs as long as they get."""
    task = {"export_id": "x" * 64, "attempt": 99}
    href = "s3://" + "b" * 63 + "/" + "k" * 1024  # a bucket's name and a key have no more
    items = [list(group) for group in groups(tiles)]
    plan = {"plan_href": href, "tasks": {"bucket": "b" * 63, "key": "k" * 1024}, "tiles": tiles, "cog_href": None}
    plan["deliveries"] = ["link-" + "9" * 10] * 10
    error = {"Error": "InternalError", "Cause": "x" * 32768}  # AWS cuts a cause there
    parent = {**task, "plan": plan, "cog": {"cog_href": href, "item_href": href}, "error": error}
    parent["delivered"] = ["delivered"] * 10
    child = {**task, "plan_href": href, "tiles": max(items, key=lambda item: len(json.dumps(item)))}
    return parent, {**child, "error": error}, json.dumps([{"tiles": item} for item in items])


@pytest.mark.parametrize("tiles", [1, 800, 801, 10_000])
def test_states_stay_small(tiles: int) -> None:
    parent, child, items = longest(tiles)
    for state in (parent, child):
        assert len(json.dumps(state)) < SMALL
    assert len(json.loads(items)) <= MAX_ITEMS
    assert len("".join("{}," for _ in json.loads(items))) < SMALL, "what the map answers"


def test_ten_thousand_tiles_are_all_handed_out() -> None:
    handed = [index for group in groups(10_000) for index in group]
    assert handed == list(range(10_000))


@pytest.mark.parametrize("handler", sorted(FUNCTIONS.glob("*/handler.py")), ids=lambda path: path.parent.name)
def test_handlers_only_adapt(handler: Path) -> None:
    source = handler.read_text()
    assert len(source.splitlines()) <= 60
    imported = re.findall(r"^\s*(?:from|import) ([\w.]+)", source, flags=re.MULTILINE)
    assert not [name for name in imported if name.startswith(("functions", "local", "infra", "boto"))]
