"""All functions of the digest, each with as many slots as it may use at once."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from local.aws import lambda_arn
from local.digest import FunctionDigest
from local.process import ROOT
from local.slot import Answer, Invocation, Slot, Stopping

SLOTS = {"submit": 3, "render_tile": os.cpu_count() or 1}
"""The others have two: there are no more cores for them"""

MEMORY_SECONDS = 0.2
"""Between looks at how much memory functions have"""

MIB = 2**20


class Function:
    """A function that can be invoked from many threads; those wait where all its slots are busy."""

    def __init__(
        self,
        name: str,
        digest: FunctionDigest,
        environment: Mapping[str, str],
        tell: Callable[[str, str, str], None],
        root: Path = ROOT,
    ) -> None:
        self.name, self.digest = name, digest
        self.slots = SLOTS.get(name, 2)
        self._environment = _environment(name, digest, environment, root)
        self._tell = lambda stream, line: tell(name, stream, line)
        self._all: list[Slot] = []
        self._idle: list[Slot] = []
        self._free = threading.Condition()
        self._closed = False

    def invoke(self, payload: bytes) -> Answer:
        slot = self._take()
        try:
            return slot.run(Invocation(payload, self.digest.timeout))
        finally:
            with self._free:
                self._idle.append(slot)
                self._free.notify()

    def warm(self) -> None:
        """Have a process ready before the first invocation."""
        slot = self._take()
        slot.warm()
        with self._free:
            self._idle.append(slot)
            self._free.notify()

    def hogs(self) -> list[Slot]:
        """The busy slots with more memory than the function may have."""
        return [slot for slot in list(self._all) if slot.busy and _own_memory(slot.pid) > self.digest.memory * MIB]

    def close(self) -> None:
        with self._free:
            self._closed = True
            self._free.notify_all()
        for slot in self._all:
            slot.close()

    def _take(self) -> Slot:
        with self._free:
            while not self._closed and not self._idle and len(self._all) >= self.slots:
                self._free.wait()
            if self._closed:
                raise Stopping
            if self._idle:
                return self._idle.pop()  # the warmest: who came back last
            slot = Slot(self.name, lambda_arn(self.name), self._environment, self._tell)
            self._all.append(slot)
            return slot


class Functions:
    """By name or ARN."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = dict(functions)
        self._stopping = threading.Event()
        threading.Thread(target=self._watch_memory, daemon=True).start()

    def __iter__(self) -> Iterator[Function]:
        return iter(self._functions.values())

    def __getitem__(self, name_or_arn: str) -> Function:
        """Raises KeyError."""
        return self._functions[name_or_arn.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0]]

    def close(self) -> None:
        """No process is left."""
        self._stopping.set()
        for function in self._functions.values():
            function.close()

    def _watch_memory(self) -> None:
        while not self._stopping.wait(MEMORY_SECONDS):
            for function in self._functions.values():
                for slot in function.hogs():
                    slot.log(f"more memory used than the {function.digest.memory} MB of the function")
                    slot.kill()


def _environment(name: str, digest: FunctionDigest, environment: Mapping[str, str], root: Path) -> dict[str, str]:
    """What Lambda would set, and nothing of ours but where programs and libraries are."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    inherited = {key: os.environ[key] for key in kept if key in os.environ}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "TZ": ":UTC",
        "_HANDLER": f"functions.{name}.handler.handler",
        "LAMBDA_TASK_ROOT": str(root),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(digest.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        **environment,
    }


def _own_memory(pid: int | None) -> int:
    """Bytes of memory that a process has to itself: its imports it may share with others."""
    if pid is None:
        return 0
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except psutil.Error:  # it ended meanwhile
        return 0
