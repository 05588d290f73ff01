"""Functions in slots: real processes of Lambda's runtime client, their timeouts, their memory, their deaths."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.digest import FunctionDigest
from local.functions import Function, Functions
from local.process import ROOT
from local.slot import Answer
from tests.support.local import eventually

Make = Callable[..., Function]


class Lines(list[str]):
    """What functions have written."""

    def tell(self, _function: str, _stream: str, line: str) -> None:
        self.append(line)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def make(tmp_path: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A function of this source, in a folder of its own."""
    monkeypatch.syspath_prepend(ROOT)  # before folders of tests that pytest has put there, one of which has a local.py
    made: list[Function] = []

    def function(source: str, name: str = "probe", **digest: Any) -> Function:
        folder = tmp_path / "functions" / name
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text(source)
        facts = FunctionDigest(id="Probe", **{"timeout": 20, "memory": 512, **digest})
        made.append(Function(name, facts, {"GREETING": "hello"}, lines.tell, tmp_path))
        return made[-1]

    yield function
    for each in made:
        each.close()


def said(answer: Answer) -> Any:
    return json.loads(answer.payload)


def test_a_handler_gets_event_context_and_environment(make: Make) -> None:
    function = make(
        "import os\n"
        "def handler(event, context):\n"
        "    left = context.get_remaining_time_in_millis()\n"
        "    return {**event, 'arn': context.invoked_function_arn, 'left': left, 'greeting': os.environ['GREETING'],\n"
        "            'name': context.function_name, 'memory': context.memory_limit_in_mb}\n"
    )
    answer = said(function.invoke(b'{"a": [1, "\xc3\xa4"]}'))
    assert answer["a"] == [1, "ä"]
    assert answer["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:probe"
    assert 10_000 < answer["left"] <= 20_000
    assert (answer["greeting"], answer["name"], answer["memory"]) == ("hello", "probe", "512")


def test_no_variable_of_ours_reaches_a_function(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_A_DEVELOPER", "x")
    function = make("import os\ndef handler(event, context): return sorted(os.environ)\n")
    assert "SECRET_OF_A_DEVELOPER" not in said(function.invoke(b"{}"))


def test_an_exception_is_told_by_its_class(make: Make) -> None:
    function = make(
        "class TransientError(Exception): pass\ndef handler(event, context): raise TransientError('not now')\n"
    )
    answer = function.invoke(b"{}")
    assert answer.failed
    assert (said(answer)["errorType"], said(answer)["errorMessage"]) == ("TransientError", "not now")
    assert said(answer)["stackTrace"] != []


def test_a_handler_that_cannot_be_imported_fails_every_invocation(make: Make) -> None:
    function = make("import nothing_of_this_name\n")
    for _ in range(2):
        answer = function.invoke(b"{}")
        assert answer.failed
        assert said(answer)["errorType"] == "Runtime.ImportModuleError"
        assert "nothing_of_this_name" in said(answer)["errorMessage"]


WORKS_OR_HANGS = """
import os, time
def handler(event, context):
    if event.get("hang"):
        time.sleep(600)
    return os.getpid()
"""


def test_a_slot_is_killed_at_the_timeout_and_begins_anew(make: Make, lines: Lines) -> None:
    function = make(WORKS_OR_HANGS, timeout=1)
    first = said(function.invoke(b"{}"))
    answer = function.invoke(b'{"hang": true}')
    assert answer.failed
    assert said(answer)["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in said(answer)["errorMessage"]
    assert not psutil.pid_exists(first)
    assert said(function.invoke(b"{}")) != first
    assert any("Task timed out" in line for line in lines)


def test_a_process_that_is_killed_fails_its_invocation_only(make: Make) -> None:
    function = make(WORKS_OR_HANGS)
    answers: list[Answer] = []
    caller = threading.Thread(target=lambda: answers.append(function.invoke(b'{"hang": true}')))
    first = said(function.invoke(b"{}"))
    caller.start()
    eventually(lambda: any(slot.busy for slot in function._all))
    os.kill(first, signal.SIGKILL)
    caller.join(20)
    assert said(answers[0])["errorType"] == "Runtime.ExitError"
    assert "SIGKILL" in said(answers[0])["errorMessage"]
    assert said(function.invoke(b"{}")) != first


def test_a_process_that_dies_between_invocations_is_replaced(make: Make) -> None:
    function = make(WORKS_OR_HANGS)
    first = said(function.invoke(b"{}"))
    os.kill(first, signal.SIGKILL)
    eventually(lambda: not any(slot.pid for slot in function._all))
    assert isinstance(said(function.invoke(b"{}")), int)


def test_what_a_handler_started_ends_with_its_slot(make: Make) -> None:
    function = make(
        "import subprocess, time\n"
        "def handler(event, context):\n"
        "    print('child', subprocess.Popen(['sleep', '600']).pid, flush=True)\n"
        "    time.sleep(600)\n",
        timeout=1,
    )
    lines = Lines()
    function._tell = lambda stream, line: lines.append(line)
    assert function.invoke(b"{}").failed
    child = int(next(line for line in lines if line.startswith("child")).split()[1])
    eventually(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_more_memory_than_the_setting_ends_the_process(make: Make) -> None:
    function = make(
        "import time\n"
        "def handler(event, context):\n"
        "    held = bytearray(event['mib'] * 2**20)\n"
        "    time.sleep(600 if event['mib'] > 100 else 0)\n"
        "    return len(held)\n",
        memory=128,
    )
    functions = Functions({"probe": function})
    try:
        assert said(function.invoke(b'{"mib": 8}')) == 8 * 2**20
        answer = function.invoke(b'{"mib": 256}')
        assert said(answer)["errorType"] == "Runtime.ExitError"
    finally:
        functions.close()


def test_as_many_at_once_as_there_are_slots(make: Make) -> None:
    """Others wait; nothing is lost and nothing answered twice."""
    function = make("import os\ndef handler(event, context): return [event['n'], os.getpid()]\n")
    answers: list[Any] = []
    callers = [
        threading.Thread(target=lambda n=n: answers.append(said(function.invoke(json.dumps({"n": n}).encode()))))
        for n in range(20)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert sorted(n for n, _ in answers) == list(range(20))
    assert len({pid for _, pid in answers}) <= function.slots


def test_logs_are_those_of_lambda(make: Make, lines: Lines) -> None:
    function = make("def handler(event, context): print('a line'); return context.aws_request_id\n")
    request = said(function.invoke(b"{}"))
    eventually(lambda: "a line" in lines)
    assert lines[0] == f"START RequestId: {request} Version: $LATEST"
    assert any(line.startswith(f"REPORT RequestId: {request}\tDuration: ") for line in lines)


def test_closing_leaves_no_process(make: Make) -> None:
    function = make(WORKS_OR_HANGS)
    pid = said(function.invoke(b"{}"))
    function.close()
    assert not psutil.pid_exists(pid)
