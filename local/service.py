"""All parts of the local service, put together."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local import aws, scenes
from local.access_logs import AccessLogs, Target
from local.aws import Cloud
from local.database import Database
from local.digest import committed
from local.executions import ExecutionEnds, lost, send
from local.faults import Faults
from local.front import Front
from local.functions import Function, Functions
from local.gateway import Gateway
from local.keeping import Kept
from local.logs import Logs
from local.oauth import Login
from local.objects import Objects
from local.people import enlist
from local.posting import Forms
from local.process import ROOT
from local.queues import Poller
from local.resources import Resources
from local.scenes import Scenes
from local.schedules import Schedule
from local.server import bind, serve
from local.signatures import Signatures
from local.slot import Stopping
from local.tokens import CONSOLE, MACHINE, Tokens

WARMED = ("plan", "render_tile", "assemble")
"""Whose first invocation somebody waits for"""


class Worker(Protocol):
    """What goes on by itself."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Options:
    port: int = 8000
    data: Path | None = None
    scenes: Path | None = None
    root: Path = ROOT
    """Where functions/ is"""
    faults: float = 0
    """The share of requests to AWS's APIs that fail"""
    seed: int = 0
    """Of which ones do"""


class Service:
    """Runs from when it is made until it is closed."""

    def __init__(self, options: Options) -> None:
        """Raises OSError where the port is in use. The folder is the caller's to lock."""
        self._kept = Kept(options.data) if options.data else None
        self._server = bind(options.port)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.cloud = Cloud(self.url, "cutline-local", secrets.token_urlsafe(24))
        self.tokens = Tokens(f"{self.url}/users", self._kept.key() if self._kept else None)
        front = self._front()
        serve(self._server, front)
        self.resources = Resources(committed(), self.cloud, {"Console": CONSOLE, "Machines": MACHINE})
        enlist(self.resources.setting("CUTLINE_USER_POOL"))
        self.cloud.client("s3").create_bucket(Bucket=scenes.BUCKET)
        if self._kept:
            self._kept.restore(self._database, self.resources.tables, self.resources.buckets)
        self._logs = Logs(self.cloud.client("logs"), self.resources.digest.functions)
        self.functions = front.functions = Functions(
            {
                name: Function(name, digest, self._environment(name), self._logs.tell, options.root)
                for name, digest in self.resources.digest.functions.items()
            }
        )
        front.login = Login(self.tokens, redirects=(f"{self.url}/docs/oauth2-redirect",))
        front.gateway = Gateway(self.functions["submit"], self.tokens, self.resources.digest.public)
        exports = self.resources.setting("CUTLINE_EXPORTS_BUCKET")
        logs = {exports: Target(*self.resources.access_logs[exports])}  # nobody reads the others'
        front.access_logs = AccessLogs(self.cloud.client("s3"), logs)
        self._workers: list[Worker] = [front.access_logs, ExecutionEnds(), *self._pollers(), *self._schedules()]
        self._tell_lost()
        self.functions["submit"].warm()
        self._workers.append(Scenes(options.scenes))
        threading.Thread(target=self._warm, daemon=True).start()
        if options.faults:  # from now on: what is above is no part of what one tries
            front.faults = Faults(options.faults, options.seed)

    def close(self) -> None:
        """No thread works on and no process is left."""
        for worker in self._workers:
            worker.close()
        self._logs.close()
        # Nobody is answered any more, so what running executions make of their functions' ends is not kept: to the next
        # start they are lost, and told so.
        self._server.shutdown()
        self._server.server_close()
        self.functions.close()
        if self._kept:
            self._kept.close()

    def _front(self) -> Front:
        application = aws.application(self._server.server_port)
        self._database = Database(application)
        signatures = Signatures({self.cloud.key: self.cloud.secret, aws.INTERPRETER[0]: aws.INTERPRETER[1]})
        forms = Forms(signatures, self.cloud.client("s3"), self.url)
        objects = Objects(application, forms, public=frozenset({scenes.BUCKET}))
        return Front(application, signatures, objects, self._database)

    def _environment(self, function: str) -> dict[str, str]:
        return {
            **self.resources.environment(function),
            "CUTLINE_URL": self.url,
            "CUTLINE_LOGIN_URL": self.url,
            # What the deployment allows, and what is on this machine.
            "CUTLINE_SOURCE_HOSTS": f"*,s3://{scenes.BUCKET},127.0.0.1,localhost",
            **self.cloud.environment(),
            "CUTLINE_PRIVATE_HOSTS": "1",
        }

    def _pollers(self) -> Iterator[Poller]:
        for poll in self.resources.digest.polls:
            yield Poller(
                self.cloud.client("sqs"),
                self.resources.queue_url(poll.queue),
                self.resources.resolve(poll.queue),
                self.functions[poll.function],
                batch=poll.batch,
                partial=poll.partial,
            )

    def _schedules(self) -> Iterator[Schedule]:
        for name, rule in self.resources.digest.rules.items():
            if rule.seconds:
                queues = list(map(self.resources.queue_url, rule.queues))
                yield Schedule(self.cloud.client("sqs"), name, rule.seconds, queues)

    def _tell_lost(self) -> None:
        """What ran when the service was last stopped will not go on by itself; a retry does."""
        for item in self._database.items(self.resources.setting("CUTLINE_TABLE")):
            if detail := lost(item, self.resources.state_machine):
                send(detail)

    def _warm(self) -> None:
        for name in WARMED:
            with contextlib.suppress(Stopping):
                self.functions[name].warm()
