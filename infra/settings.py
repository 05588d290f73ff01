"""What a deployment decides. The values are the context of cdk.json, where `-c cutline:name=value` overrides them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cutline.settings import Limits

ROOT = Path(__file__).parents[1]
PREFIX = "cutline:"


class Deployment(BaseModel):
    """The settings of one stack."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime: Literal["python3.12", "python3.13"]
    """`make layers` builds for it. rasterio's wheels want glibc 2.28: not python3.11, which is Amazon Linux 2"""
    architecture: Literal["x86_64", "arm64"]
    memory: dict[str, int]
    """Folder of functions/ -> MB, where another than functions.py says"""
    render_concurrency: int = Field(ge=0)
    """Tiles rendered at once, reserved for that in the account's concurrency; 0: nothing is reserved, and the state
    machine's own MaxConcurrency is the bound"""
    source_hosts: tuple[str, ...]
    """Where scenes may come from: a host, `*.example.org`, `s3://bucket` or `s3://bucket/prefix/`; `*`: any public"""
    limits: Limits
    basemap: str
    """Address of the tiles or style that maps are drawn over"""
    sender: str
    """The e-mail address that notifications come from; SES has to know it. Empty: none are sent"""
    alarm_email: str
    """Who is told of alarms; empty: nobody, they only show on the dashboard"""
    dropbox_key: str
    """Of the Dropbox app that this deployment is; empty: nothing is delivered to Dropbox"""
    dropbox_secret: str
    """ARN of the secret in Secrets Manager that holds the app's own, as plain text"""
    dropbox_redirect: str
    """Where Dropbox brings users and their codes, as its app console knows it; empty: users copy the code"""
    callback_urls: tuple[str, ...]
    """Where a login of the console or the command line may return to"""
    console_origin: str = Field(pattern=r"^(\*|https?://[\w.-]+(:\d+)?)$")
    """Whose pages may call the API from a browser: `https://console.example.org`; `*`: anybody's, who then still need
    a token. Name the console's as soon as there is one"""
    self_signup: bool
    """Anybody may create an account"""
    log_days: int
    """One of those that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, …"""
    audit_days: int = Field(ge=1)
    """How long archived histories cannot be changed or removed"""
    exports_days: int = Field(ge=0)
    """After how many days finished COGs are removed; 0: never"""
    requests_per_second: int = Field(ge=1)
    burst: int = Field(ge=1)
    web_acl: str
    """ARN of a regional WAF ACL in front of the API; empty: none"""

    @field_validator("memory", "source_hosts", "limits", "callback_urls", mode="before")
    @classmethod
    def _from_command_line(cls, value: Any) -> Any:
        """`-c` brings texts."""
        return json.loads(value) if isinstance(value, str) else value

    @property
    def source_buckets(self) -> tuple[str, ...]:
        """`bucket/prefix*` of each place in S3 that scenes are read from."""
        places = (host.removeprefix("s3://") for host in self.source_hosts if host.startswith("s3://"))
        return tuple(f"{place}*" if "/" in place else f"{place}/*" for place in places)


def defaults() -> dict[str, Any]:
    """The context of cdk.json, which only the cdk command reads by itself."""
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return context


def deployment(look_up: Callable[[str], Any]) -> Deployment:
    """The settings, of a construct's `try_get_context`. Raises pydantic's ValidationError, which names the setting."""
    known = {name: look_up(PREFIX + name) for name in Deployment.model_fields}
    return Deployment.model_validate({name: value for name, value in known.items() if value is not None})
