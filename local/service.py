"""All parts of the local service, put together."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from local import aws
from local.aws import Cloud
from local.digest import committed
from local.executions import ExecutionEnds
from local.front import Front
from local.functions import ROOT, Function, Functions
from local.gateway import Gateway
from local.logs import Logs
from local.oauth import Login
from local.objects import Objects
from local.people import enlist
from local.posting import Forms
from local.queues import Poller
from local.resources import Resources
from local.schedules import Schedule
from local.server import bind, serve
from local.signatures import Signatures
from local.tokens import CONSOLE, MACHINE, Tokens

SCENES = "cutline-scenes"
"""The bucket of the sample scenes, which anybody may read"""

WARMED = ("plan", "render_tile", "assemble")
"""Whose first invocation somebody waits for"""


@dataclass(frozen=True)
class Options:
    port: int = 8000
    data: Path | None = None
    scenes: Path | None = None
    root: Path = ROOT
    """Where functions/ is"""


class Service:
    """Runs from when it is made until it is closed."""

    def __init__(self, options: Options) -> None:
        self._server = bind(options.port)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.cloud = Cloud(self.url, "cutline-local", secrets.token_urlsafe(24))
        signatures = Signatures({self.cloud.key: self.cloud.secret, aws.INTERPRETER[0]: aws.INTERPRETER[1]})
        application = aws.application(self._server.server_port)
        forms = Forms(signatures, self.cloud.client("s3"), self.url)
        front = Front(application, signatures, Objects(application, forms, frozenset({SCENES})))
        serve(self._server, front)
        self.resources = Resources(committed(), self.cloud, {"Console": CONSOLE, "Machines": MACHINE})
        enlist(self.resources.setting("CUTLINE_USER_POOL"))
        self.tokens = Tokens(f"{self.url}/users")
        self._logs = Logs(self.cloud.client("logs"), self.resources.digest.functions)
        self.functions = front.functions = Functions(
            {
                name: Function(name, digest, self._environment(name), self._logs.tell, options.root)
                for name, digest in self.resources.digest.functions.items()
            }
        )
        front.login = Login(self.tokens, redirects=(f"{self.url}/docs/oauth2-redirect",))
        submit = self.functions["submit"]
        front.gateway = Gateway(submit, self.tokens, self.resources.digest.public)
        self._ends = ExecutionEnds()
        self._pollers = [
            Poller(
                self.cloud.client("sqs"),
                self.resources.queue_url(poll.queue),
                self.resources.resolve(poll.queue),
                self.functions[poll.function],
                batch=poll.batch,
                partial=poll.partial,
            )
            for poll in self.resources.digest.polls
        ]
        self._schedules = [
            Schedule(
                self.cloud.client("sqs"), name, rule.seconds, [self.resources.queue_url(arn) for arn in rule.queues]
            )
            for name, rule in self.resources.digest.rules.items()
            if rule.seconds
        ]
        submit.warm()
        threading.Thread(target=self._warm, daemon=True).start()

    def _environment(self, function: str) -> dict[str, str]:
        return {
            **self.resources.environment(function),
            "CUTLINE_URL": self.url,
            # What the deployment allows, and what is on this machine.
            "CUTLINE_SOURCE_HOSTS": f"*,s3://{SCENES},127.0.0.1,localhost",
            **self.cloud.environment(),
            "CUTLINE_PRIVATE_HOSTS": "1",
        }

    def _warm(self) -> None:
        for name in WARMED:
            self.functions[name].warm()

    def close(self) -> None:
        """No thread works on and no process is left."""
        self._ends.close()
        for each in [*self._pollers, *self._schedules]:
            each.close()
        self.functions.close()
        self._logs.close()
        self._server.shutdown()
        self._server.server_close()
