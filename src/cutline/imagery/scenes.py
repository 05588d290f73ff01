"""From what the user names to Scenes, by reading headers only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cutline.errors import CutlineError, InvalidRequest, InvalidScene
from cutline.imagery.footprint import footprint
from cutline.imagery.header import Header, read_header
from cutline.imagery.hrefs import check_id, resolve, shown, stem
from cutline.imagery.names import name_bands
from cutline.models.request import SceneRequest, Source
from cutline.models.scene import Band, Scene

IMAGE = "image"
"""The asset key of a scene that is a single file"""


def describe_scenes(source: Source) -> tuple[Scene, ...]:
    """The scenes of ``source`` in its order, ids all different.

    Raises InvalidScene (or UnsupportedCRS, TooLarge) or SourceUnavailable, naming the scene, with its pointer.
    """
    scenes: list[Scene] = []
    for position, request in enumerate(source.scenes):
        with _about(request, position):
            scene = describe_scene(request, source)
        scenes.append(scene.model_copy(update={"id": _unused(scene.id, {known.id for known in scenes})}))
    return tuple(scenes)


def describe_scene(request: SceneRequest, source: Source) -> Scene:
    """One scene; errors leave its name to the caller."""
    if request.href and not request.assets:
        return _from_file(resolve(request.href), source)
    if request.assets and not request.href:
        return _from_files({name: resolve(href) for name, href in request.assets.items()}, source)
    raise InvalidScene("a scene is either one href or one file per band")


def _from_file(href: str, source: Source) -> Scene:
    header = read_header(href)
    names = name_bands(header.bands, source.band_names)
    bands = tuple(_band(name, IMAGE, header, i) for i, name in enumerate(names))
    return _scene(stem(href), {IMAGE: header}, bands)


def _from_files(hrefs: dict[str, str], source: Source) -> Scene:
    headers = {name: read_header(href) for name, href in hrefs.items()}
    bands = tuple(_band(name, name, header, 0) for name, header in headers.items())
    return _scene(stem(next(iter(hrefs.values()))), headers, bands)


def _scene(scene_id: str, headers: dict[str, Header], bands: Sequence[Band]) -> Scene:
    assets = {key: header.asset for key, header in headers.items()}
    times = [header.datetime for header in headers.values() if header.datetime]
    return Scene(
        id=check_id(scene_id),
        assets=assets,
        bands=tuple(bands),
        footprint=footprint(assets.values()),
        datetime=min(times, default=None),
    )


def _band(name: str, key: str, header: Header, position: int) -> Band:
    traits = header.bands[position]
    return Band(
        name=name,
        asset=key,
        index=traits.index,
        dtype=traits.dtype,
        scale=traits.scale,
        offset=traits.offset,
        wavelength=traits.wavelength,
    )


@contextmanager
def _about(request: SceneRequest, position: int) -> Iterator[None]:
    """Errors inside say which scene they are about, and where it stands in the request."""
    name = request.href or ", ".join(f"{band}={href}" for band, href in request.assets.items())
    try:
        yield
    except CutlineError as error:
        family = InvalidScene if type(error) is InvalidRequest else type(error)
        pointer = error.pointer or f"/source/scenes/{position}"
        raise family(f"scene {shown(name)}: {error.message}", pointer=pointer) from error


def _unused(scene_id: str, taken: set[str]) -> str:
    number = 2
    unused = scene_id
    while unused in taken:
        unused = f"{scene_id}-{number}"
        number += 1
    return unused
