"""What somebody reads who has started the service, and may want to do next."""

from __future__ import annotations

from local.scenes import BUCKET
from local.service import Service
from local.tokens import MACHINE, MACHINE_SECRET, USERS

WELCOME = """\
Cutline is at {url}, after {seconds:.1f} s.  Ctrl-C stops it.

  people     {people}  (name/password; cutline login --url {url})
  programs   client {machine}, secret {secret}
  scenes     {scenes}
  API        {url}/docs
  mails      {url}/outbox

  TOKEN=$(curl -s -u {machine}:{secret} -d grant_type=client_credentials {url}/oauth2/token \\
    | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')
  curl -H "Authorization: Bearer $TOKEN" {url}/me
"""


def welcome(service: Service, seconds: float) -> str:
    return WELCOME.format(
        url=service.url,
        seconds=seconds,
        people=", ".join(f"{user.name}/{user.password}" for user in USERS.values()),
        machine=MACHINE,
        secret=MACHINE_SECRET,
        scenes=f"{service.url}/{BUCKET}?list-type=2",
    )
