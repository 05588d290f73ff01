"""Which scenes take part, and in which order: the first valid pixel wins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

from cutline.errors import InvalidRequest, InvalidScene
from cutline.models.request import MosaicRule
from cutline.models.scene import Scene

Rank = Callable[[Scene], float]
"""Lower comes first"""


def order_scenes(scenes: Sequence[Scene], rule: MosaicRule) -> tuple[Scene, ...]:
    """``scenes`` sorted as ``rule`` asks, equals in the order given; rules about pixel values keep the order.

    Raises InvalidRequest for a scene that lacks what the rule sorts by.
    """
    rank = RANKS.get(rule)
    return tuple(scenes) if rank is None else tuple(sorted(scenes, key=rank))


def within(scenes: Sequence[Scene], temporal: tuple[str | None, str | None] | None) -> tuple[Scene, ...]:
    """The ``scenes`` of the half-open interval [start, end), RFC 3339 or dates (midnight UTC); None is unbounded.

    Raises InvalidRequest for an interval that is none, that no scene lies in, or a scene without a datetime.
    """
    if temporal is None or temporal == (None, None):
        return tuple(scenes)
    start, end = (None if text is None else _instant(text) for text in temporal)
    if start and end and start >= end:
        raise InvalidRequest(f"the interval ends ({temporal[1]}) before it begins ({temporal[0]})", pointer=TEMPORAL)
    chosen = tuple(scene for scene in scenes if _lies(_datetime(scene, "the interval", TEMPORAL), start, end))
    if not chosen:
        raise InvalidRequest(f"no scene lies between {temporal[0] or '…'} and {temporal[1] or '…'}", pointer=TEMPORAL)
    return chosen


def common_bands(scenes: Iterable[Scene]) -> tuple[str, ...]:
    """The names of the bands that every scene has, in the first scene's order."""
    first, *others = scenes
    return tuple(band.name for band in first.bands if all(scene.band(band.name) for scene in others))


def check_bands(scenes: Sequence[Scene]) -> tuple[str, ...]:
    """``common_bands``, or InvalidScene for the first scene that shares none of them with those before it."""
    for position in range(1, len(scenes)):
        if not common_bands(scenes[: position + 1]):
            raise InvalidScene(
                f"scene {scenes[position].id} has the bands {_listed(scenes[position])}, none of which all scenes "
                f"before it have ({_listed(scenes[0])} in {scenes[0].id}); name the bands alike with --band-names",
                pointer=f"/source/scenes/{position}",
            )
    return common_bands(scenes)


TEMPORAL = "/source/temporal"
MOSAIC = "/mosaic"


def _datetime(scene: Scene, purpose: str, pointer: str) -> dt.datetime:
    if scene.datetime is None:
        raise InvalidRequest(f"scene {scene.id} has no datetime, which {purpose} needs", pointer=pointer)
    return scene.datetime


def _cloud_cover(scene: Scene) -> float:
    if scene.cloud_cover is None:
        raise InvalidRequest(f"scene {scene.id} has no cloud cover, which mosaic least-cloud needs", pointer=MOSAIC)
    return scene.cloud_cover


RANKS: dict[MosaicRule, Rank] = {
    "newest": lambda scene: -_datetime(scene, "mosaic newest", MOSAIC).timestamp(),
    "oldest": lambda scene: _datetime(scene, "mosaic oldest", MOSAIC).timestamp(),
    "least-cloud": _cloud_cover,
}


def _instant(text: str) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is not a time; write 2024-06-01T10:00:00Z", pointer=TEMPORAL) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)


def _lies(instant: dt.datetime, start: dt.datetime | None, end: dt.datetime | None) -> bool:
    return (start is None or start <= instant) and (end is None or instant < end)


def _listed(scene: Scene) -> str:
    return ", ".join(band.name for band in scene.bands[:12]) + (", …" if len(scene.bands) > 12 else "")
