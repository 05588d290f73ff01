"""What travels between the states of an execution: ids and hrefs, never pixels or geometry. See statemachine/."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field, SecretStr

from cutline.models.base import Model
from cutline.models.record import Failure


class ExportTask(Model):
    """To plan and to notify: one attempt of one export."""

    export_id: str
    attempt: int


class StartedTask(ExportTask):
    """The input of an attempt's execution: whose it is and when it began is known when its export is gone, too."""

    owner: str
    begun_at: AwareDatetime

    @property
    def execution_name(self) -> str:
        return f"{self.export_id}-{self.attempt}"


class ObjectPlace(Model):
    """An S3 object, as the ItemReader wants it."""

    bucket: str
    key: str


class Planned(Model):
    """An attempt has its plan."""

    plan_href: str
    tasks: ObjectPlace
    """A JSON array of ``{"tiles": [index, …]}``, the items of the map"""
    tiles: int
    deliveries: tuple[str, ...]
    """Ids"""
    destinations: bool = False
    """Some of them are to destinations, whose room is looked at before the first tile"""
    cog_href: str | None = None
    """The COG that an earlier attempt made, where only its deliveries failed: nothing is rendered again"""


class TileTask(ExportTask):
    """To render: some tiles of a plan."""

    plan_href: str
    tiles: tuple[int, ...] = Field(min_length=1)
    """Indices into the plan's"""


class Progressed(Model):
    """An invocation ended; where it is not ``done``, it ran out of time and the next goes on."""

    done: bool


class AssembleTask(ExportTask):
    """To join what was rendered."""

    plan_href: str


class Assembled(Model):
    """The COG is there."""

    cog_href: str
    item_href: str
    nbytes: int


class RoomTask(ExportTask):
    """To ask the destinations of an export whether they have room for it."""

    what: Literal["room"]


class TrialTask(Model):
    """To try a destination; with a ``code``, that is exchanged for its secret first."""

    what: Literal["trial"]
    owner: str
    destination_id: str
    code: SecretStr | None = None


class Tried(Model):
    """What came of it."""

    problem: Failure | None
    """None: it took a small file"""


class DeliveryTask(ExportTask):
    """To bring the COG to one target."""

    what: Literal["deliver"]
    delivery_id: str
    cog_href: str
    execution: str
    """Name of the one that asks"""


class Delivered(Progressed):
    delivered: bool
    wait: int = 0
    """Seconds that its target asks for, before anything more is sent"""


class AbandonTask(Model):
    """To remove what a delivery that is given up has left half-written. It says all itself: its export may be gone."""

    what: Literal["abandon"] = "abandon"
    owner: str
    destination_id: str
    path: str
    """At the destination, without suffix"""
    cursor: dict[str, Any]
