"""The local service as its users start it: a process of its own, with a scene to export from.

def test_…(running: Running, area: Any):   # tests/local/conftest.py
    view = running.ended(running.submit(area, 4))
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import boto3
import psutil
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from local.aws import INTERPRETER, REGION
from local.scenes import BUCKET
from local.tokens import CONSOLE, MACHINE, MACHINE_SECRET, SCOPE, USERS
from tests.support.cli import box, write_aoi
from tests.support.scenes import texture, write_scene

ROOT = Path(__file__).parents[2]

SCENE = f"s3://{BUCKET}/east.tif"
CRS = "EPSG:32633"
ENDED = ("SUCCESS", "ERROR", "CANCELLED")

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 30, what: str = "it", pause: float = 0.05) -> T:
    """What ``look`` finds, once that is something. Fails after ``seconds``."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"{what} has not come in {seconds} s"
        time.sleep(pause)
    return found


def make_scene(folder: Path) -> Path:
    """What ``SCENE`` is when the service is given ``folder``: 6 km in ``CRS``."""
    return write_scene(folder / "east.tif", texture((3, 600, 600)), nodata=0)


def make_area(path: Path, east: float = 0) -> Any:
    """An AOI of 5 km inside the scene, as JSON and at ``path``, so many metres further ``east`` than usual."""
    return json.loads(write_aoi(path, *box(400500 + east, 5594500, 405500, 5599500)).read_text())


def _end_with_parent() -> None:
    """Tests that are killed leave no service behind."""
    set_signal_of_parents_death = 1
    ctypes.CDLL(None).prctl(set_signal_of_parents_death, signal.SIGTERM)


class Running:
    """A service that runs."""

    def __init__(self, *words: object) -> None:
        self.output = tempfile.TemporaryFile("w+b")  # noqa: SIM115 – as long as the service
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local", "--port", "0", *map(str, words)],
            cwd=ROOT,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 – a call of the kernel, no more
            env={key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "CUTLINE_", "MOTO_"))},
        )
        try:
            self.url = eventually(self._address, 60, "the service's address")
        except BaseException:
            self.process.kill()
            raise
        self._tokens: dict[str, str] = {}

    def _address(self) -> str | None:
        said = self.said()
        assert self.process.poll() is None, f"the service ended:\n{said}"
        found = re.search(r"Cutline is at (http://\S+?),", said)
        return found and found[1]

    def said(self) -> str:
        """All that it has written."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")

    def token(self, user: str = "demo") -> str:
        """An access token of a demo user, got as `cutline login` does; of the machine client for its name."""
        if user not in self._tokens:
            self._tokens[user] = self._machine_token() if user == MACHINE else self._user_token(user)
        return self._tokens[user]

    def _machine_token(self) -> str:
        answer = requests.post(
            f"{self.url}/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(MACHINE, MACHINE_SECRET),
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _user_token(self, user: str) -> str:
        verifier, back = secrets.token_urlsafe(48), "http://127.0.0.1:9/back"
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"client_id": CONSOLE, "response_type": "code", "redirect_uri": back, "scope": f"{SCOPE} openid"}
        answer = requests.post(
            f"{self.url}/oauth2/authorize",
            params={**asked, "code_challenge": challenge, "code_challenge_method": "S256"},
            data={"username": user, "password": USERS[user].password},
            allow_redirects=False,
            timeout=30,
        )
        code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        given = {"grant_type": "authorization_code", "client_id": CONSOLE, "redirect_uri": back, "code": code}
        answer = requests.post(f"{self.url}/oauth2/token", data={**given, "code_verifier": verifier}, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def ask(self, method: str, path: str, user: str | None = "demo", **more: Any) -> requests.Response:
        """Ask the API as ``user``; None: as nobody."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return requests.request(
            method,
            self.url + path,
            headers={**headers, **more.pop("headers", {})},
            allow_redirects=False,
            timeout=120,
            **more,
        )

    def get(self, path: str, user: str | None = "demo", **more: Any) -> requests.Response:
        return self.ask("GET", path, user, **more)

    def post(self, path: str, body: Any = None, user: str | None = "demo", **more: Any) -> requests.Response:
        return self.ask("POST", path, user, json=body, **more)

    def submit(self, area: Any, resolution: float, *, scene: str = SCENE, crs: str = CRS, **more: Any) -> str:
        """A new export's id; ``more`` fields of its request by keyword."""
        output = {"crs": crs, "resolution": resolution}
        answer = self.post("/exports", {"source": {"scenes": [scene]}, "aoi": area, "output": output, **more})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["export_id"])

    def view(self, export_id: str) -> dict[str, Any]:
        """What GET /exports/{id} says."""
        answer = self.get(f"/exports/{export_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def until(self, export_id: str, *statuses: str) -> dict[str, Any]:
        """The export's view, once it has one of these."""
        what = f"{statuses} of {export_id}"  # each look costs the service as much as a state
        return eventually(lambda: (now := self.view(export_id))["status"] in statuses and now, 120, what, pause=0.3)

    def ended(self, export_id: str) -> dict[str, Any]:
        """The export's view, once it has come to its end."""
        return self.until(export_id, *ENDED)

    def cog(self, export_id: str) -> bytes:
        """What its link leads to, for somebody who asks again where S3 is busy."""
        http = requests.Session()
        http.mount("http://", HTTPAdapter(max_retries=Retry(6, status_forcelist=[500, 503], backoff_factor=0.1)))
        answer = http.get(self.get(f"/exports/{export_id}/download").headers["Location"], timeout=30)
        answer.raise_for_status()
        return answer.content

    def idle(self) -> dict[str, int]:
        """What the user has used, once the last end is settled."""
        found: dict[str, int] = eventually(
            lambda: (used := self.get("/me").json()["used"])["exports_running"] == 0 and used, 120, "the last end"
        )
        return found

    def s3(self) -> Any:
        """A client that may do anything, as what is inside the service."""
        return boto3.client(
            "s3", endpoint_url=self.url, region_name=REGION,
            aws_access_key_id=INTERPRETER[0], aws_secret_access_key=INTERPRETER[1],
        )  # fmt: skip

    def slots(self, function: str) -> list[psutil.Process]:
        """The processes of a function."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.name() == function:
                    found.append(child)
        return found

    def stop(self, how: signal.Signals = signal.SIGTERM) -> list[psutil.Process]:
        """End the service; returns what it has left behind."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(how)
            self.process.wait(30)
            with contextlib.suppress(AssertionError):
                eventually(lambda: not any(map(_runs, children)))
            return list(filter(_runs, children))
        return []

    def close(self) -> None:
        """End it, and forget what it has said."""
        self.stop()
        self.output.close()


def _runs(process: psutil.Process) -> bool:
    """Whether it has not ended: an orphan that has may wait for its new parent to take note."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def service(*words: object) -> Iterator[Running]:
    """A service with these words after ``python -m local``."""
    one = Running(*words)
    try:
        yield one
    finally:
        one.close()
