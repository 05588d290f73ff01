"""A destination's settings and its secret are one: nobody ever reads the server of now with the password of before."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from cutline.errors import Conflict, NotFound, TransientError
from cutline.models.api_destinations import ChangedDestination, NewDestination
from cutline.models.destination import DestinationRecord, DropboxSettings, SftpSecret
from cutline.models.task import TrialTask
from cutline.service import credentials
from cutline.service.callers import Caller
from cutline.service.destinations import change_destination, create_destination, delete_destination, list_destinations
from cutline.service.targets import target_of
from cutline.service.trying import try_destination
from cutline.settings import ServiceSettings, service
from cutline.store.clients import client
from cutline.store.destinations import Destinations
from cutline.store.secrets import Secrets
from tests.support.destinations import place

__all__ = ["place"]

ANNA = Caller(sub="anna")
THEIRS = {"kind": "sftp", "host": "theirs.example.org", "username": "a", "host_key": "ssh-ed25519 AAAA"}
EVIL = {**THEIRS, "host": "evil.example.org"}
NEW = NewDestination.model_validate({"name": "home", "settings": THEIRS, "secret": {"password": "theirs"}})
MOVED = ChangedDestination.model_validate({"settings": EVIL, "secret": {"password": "evil"}})
RENAMED = ChangedDestination.model_validate({"name": "other"})
LARGEST = 65_536
"""Bytes of a secret, in Secrets Manager"""


@pytest.fixture
def made(aws: ServiceSettings) -> DestinationRecord:
    return create_destination(ANNA, NEW)


def found(record: DestinationRecord) -> DestinationRecord:
    return Destinations(service().table).get(record.owner, record.destination_id)


def names() -> list[str]:
    """Of all that Secrets Manager has."""
    return [each["Name"] for each in client("secretsmanager").list_secrets()["SecretList"]]


def around(monkeypatch: pytest.MonkeyPatch, kind: type, name: str, look: Callable[[], object]) -> None:
    """``look`` before and after each call of the method."""
    true = getattr(kind, name)

    def looked_at(*given: Any) -> Any:
        look()
        answer = true(*given)
        look()
        return answer

    monkeypatch.setattr(kind, name, looked_at)


def refuse(*_: object) -> None:
    raise ClientError({"Error": {"Code": "ValidationException", "Message": "too long"}}, "CreateSecret")


def test_who_looks_at_any_moment_sees_what_belongs_together(
    made: DestinationRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look() -> None:
        record = found(made)
        text = json.loads(client("secretsmanager").get_secret_value(SecretId=record.secret)["SecretString"])
        seen.append((record.settings.host, text["password"]))  # type: ignore[union-attr]

    for kind, name in ((Secrets, "create"), (Destinations, "change"), (Secrets, "delete")):
        around(monkeypatch, kind, name, look)
    changed = change_destination(ANNA, made.destination_id, MOVED)
    assert len(seen) == 6
    assert set(seen) == {("theirs.example.org", "theirs"), ("evil.example.org", "evil")}
    assert names() == [changed.secret]


def test_a_secret_that_is_not_taken_changes_nothing(made: DestinationRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Secrets, "create", refuse)
    with pytest.raises(ClientError):
        change_destination(ANNA, made.destination_id, MOVED)
    with pytest.raises(ClientError):
        create_destination(ANNA, NEW)
    assert found(made) == made and names() == [made.secret]
    assert len(list_destinations(ANNA)) == 1


def test_of_two_changes_at_once_one_keeps_its_secret(made: DestinationRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    true = Secrets.create

    def with_another(self: Secrets, name: str, text: str) -> None:
        true(self, name, text)
        monkeypatch.setattr(Secrets, "create", true)
        change_destination(ANNA, made.destination_id, MOVED)

    monkeypatch.setattr(Secrets, "create", with_another)
    with pytest.raises(Conflict):
        change_destination(ANNA, made.destination_id, ChangedDestination(secret=SftpSecret(password=SecretStr("late"))))
    secret = credentials.secret_of(found(made))
    assert isinstance(secret, SftpSecret) and secret.password and secret.password.get_secret_value() == "evil"
    assert names() == [found(made).secret]


def test_a_change_of_what_is_just_deleted_leaves_no_secret(
    made: DestinationRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = Secrets.create

    def deleted_meanwhile(self: Secrets, name: str, text: str) -> None:
        true(self, name, text)
        delete_destination(ANNA, made.destination_id)

    monkeypatch.setattr(Secrets, "create", deleted_meanwhile)
    with pytest.raises(Conflict):
        change_destination(ANNA, made.destination_id, MOVED)
    with pytest.raises(NotFound):
        found(made)
    assert names() == []


def test_what_is_changed_while_it_is_deleted_stays_with_its_secret(
    made: DestinationRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = credentials.forget

    def changed_meanwhile(record: DestinationRecord) -> None:
        monkeypatch.setattr(credentials, "forget", true)
        change_destination(ANNA, made.destination_id, MOVED)
        true(record)

    monkeypatch.setattr(credentials, "forget", changed_meanwhile)
    with pytest.raises(Conflict, match="look again"):
        delete_destination(ANNA, made.destination_id)
    assert names() == [found(made).secret]
    delete_destination(ANNA, made.destination_id)
    assert names() == []


def test_another_name_leaves_the_secret_alone(made: DestinationRecord) -> None:
    assert change_destination(ANNA, made.destination_id, RENAMED).secret == made.secret
    assert names() == [made.secret]


@pytest.mark.usefixtures("place")
def test_a_second_authorisation_forgets_the_first(aws: ServiceSettings) -> None:
    body = NewDestination(name="dropbox", settings=DropboxSettings())
    made = create_destination(ANNA, body)
    for code in ("one", "two"):
        task = TrialTask(what="trial", owner="anna", destination_id=made.destination_id, code=SecretStr(code))
        assert try_destination(task).problem is None
    assert names() == [found(made).secret]


def test_who_holds_the_record_of_before_tries_again(made: DestinationRecord) -> None:
    """A delivery that began while the secret was replaced has not been refused by anybody."""
    change_destination(ANNA, made.destination_id, MOVED)
    with pytest.raises(TransientError, match="home has just been changed"):
        target_of(made)
    delete_destination(ANNA, made.destination_id)
    with pytest.raises(NotFound):
        target_of(made)


def test_what_is_lost_is_no_secret(made: DestinationRecord) -> None:
    """As after a restart of the local service."""
    Secrets().delete(made.secret or "")
    assert credentials.secret_of(made) is None


@pytest.mark.parametrize("letter", ["\x01", "ü", "\U0001f600"])
def test_the_longest_secrets_have_room(made: DestinationRecord, letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.setattr(Secrets, "create", lambda self, name, text: kept.append(text))
    longest = SftpSecret(password=SecretStr(letter * 1000), private_key=SecretStr(letter * 8000))
    credentials.keep(made, longest, lambda record: record)
    assert len(kept[0].encode()) < LARGEST
