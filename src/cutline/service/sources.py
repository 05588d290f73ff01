"""From what the API is given to one ExportRequest, and only for imagery of allowed places.

Every address is judged by one rule, ``allowed``: those in the body, those that a search finds, those that a STAC item
names, and (store/web.py) whatever a name leads to when it is looked up. Local paths are never read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from cutline.aoi import Aoi, Finding, read_geojson
from cutline.aoi.limits import MAX_VERTICES
from cutline.errors import CutlineError, InternalError, InvalidRequest, InvalidScene
from cutline.imagery import parse_interval, self_link
from cutline.imagery.hrefs import resolve, shown
from cutline.imagery.like import grid_of
from cutline.imagery.stac import choose_bands, parse_item
from cutline.models.api import ExportBody, SceneSource
from cutline.models.grid import Geobox
from cutline.models.request import ExportRequest, SceneRequest, Source
from cutline.process import parse_graph
from cutline.process.color import check_formula
from cutline.request import Wanted, build_request
from cutline.service.pointers import field_of
from cutline.service.searching import search
from cutline.service.uploads import area_of

SCHEMES = frozenset({"https", "http", "s3"})
USUAL_PORTS = {"https": 443, "http": 80}


class Checked(NamedTuple):
    """A body that can be exported, as far as one can tell without opening its scenes."""

    request: ExportRequest
    findings: tuple[Finding, ...]
    """About its area, none of them an error"""


def request_of(body: ExportBody, hosts: Sequence[str]) -> ExportRequest:
    """The request that ``body``, which is ``resolved``, makes. Raises as ``checked`` does."""
    return checked(body, hosts).request


def checked(body: ExportBody, hosts: Sequence[str], *, max_vertices: int = MAX_VERTICES) -> Checked:
    """``body``, which is ``resolved``, as a request.

    Raises the family of InvalidRequest, with a pointer into ``body``, and SourceUnavailable where ``like`` or a search
    cannot be read now.
    """
    if body.aoi_href is not None or body.source.stac is not None:
        raise InternalError("an upload and a search are resolved before the request is made")
    with told_of(body):
        area = _area(body, max_vertices)
        request = build_request(_wanted(body, area, hosts))
        check_sources(request.source, hosts)
    return Checked(request, area.report.findings if area else ())


def resolved(body: ExportBody, owner: str, hosts: Sequence[str], *, max_vertices: int = MAX_VERTICES) -> ExportBody:
    """``body`` with everything by value that may be another tomorrow: the area of the ``owner``'s upload, the scenes
    that a search finds now. So a retry means the same. Raises as ``checked`` does."""
    with told_of(body):
        if body.aoi_href is not None:
            area = area_of(body.aoi_href, owner)
            body = body.model_copy(update={"aoi": area, "aoi_href": None})
        if body.source.stac is not None:
            found = search(body.source.stac, _area(body, max_vertices), permit(hosts))
            source = body.source.model_copy(update={"stac": None, "scenes": tuple(found)})
            body = body.model_copy(update={"source": source})
    return body


# Where imagery may come from -----------------------------------------------------------------------------------


def allowed(href: str, hosts: Sequence[str]) -> bool:
    """Whether ``href``, absolute already, may be opened.

    ``hosts``: a host (at the usual ports), ``host:port``, ``*.example.org``, ``*`` (any host of the web), and
    ``s3://bucket`` or ``s3://bucket/prefix``, which are always named: we open those with rights of our own.
    """
    place = urlsplit(href, allow_fragments=False)
    if place.scheme == "s3":
        return ".." not in place.path.split("/") and any(_under(href, host) for host in hosts)
    if place.scheme not in USUAL_PORTS or not place.hostname:
        return False
    name = place.hostname.rstrip(".").lower()
    usual = place.port in (None, USUAL_PORTS[place.scheme])
    return any(
        host == "*"
        or host == f"{name}:{place.port or USUAL_PORTS[place.scheme]}"
        or (usual and (host == name or (host.startswith("*.") and name.endswith(host[1:]))))
        for host in map(str.lower, hosts)
    )


def _under(href: str, entry: str) -> bool:
    return entry.startswith("s3://") and (href + "/").startswith(entry.rstrip("/") + "/")


def permit(hosts: Sequence[str]) -> Callable[[str], None]:
    """What ``describe_scenes`` asks before it opens anything; raises InvalidScene for what is not ``allowed``."""

    def check(href: str) -> None:
        if href.partition("://")[0].lower() not in SCHEMES:
            raise InvalidScene(f"{shown(href)} is no address; scenes are read from https://, http:// and s3://")
        if not allowed(href, hosts):
            place = urlsplit(href)
            raise InvalidScene(
                f"imagery is not read from {place.scheme}://{place.netloc} here; {_places(hosts, place.scheme)}"
            )

    return check


def _places(hosts: Sequence[str], scheme: str) -> str:
    """Of those that are allowed, the ones of this kind."""
    alike = [host for host in hosts if host.startswith("s3://") == (scheme == "s3")]
    if not alike:
        return f"no {'bucket' if scheme == 's3' else 'host'} is allowed by those who run this"
    return f"allowed are {', '.join(alike[:20])}{', …' if len(alike) > 20 else ''}"


def check_sources(source: Source, hosts: Sequence[str]) -> None:
    """Raise InvalidScene, with a pointer, for a scene that may not be opened. What items at an address name is known
    only when those are read: give ``permit(hosts)`` to whoever does."""
    check = permit(hosts)
    for position, scene in enumerate(source.scenes):
        try:
            for href in _hrefs(scene, source):
                check(href)
        except CutlineError as error:
            raise type(error)(f"scene {position + 1}: {error.message}", pointer=f"/source/scenes/{position}") from error


def _hrefs(scene: SceneRequest, source: Source) -> Iterator[str]:
    """The addresses that a scene names itself, those of them that would be opened."""
    if scene.href is not None:
        yield _address(scene.href)
    yield from map(_address, scene.assets.values())
    if scene.item:
        item, base = parse_item(json.dumps(scene.item).encode()), self_link(scene.item)
        keys = {band.asset for band in choose_bands(item)} | ({source.mask.asset} if source.mask else set())
        for key in keys & item.assets.keys():
            href = item.assets[key].href
            yield _address(href) if base is None else resolve(href, base)


def _address(href: str) -> str:
    return resolve(href) if href.partition("://")[0].lower() in SCHEMES else href


# The request ---------------------------------------------------------------------------------------------------


def _area(body: ExportBody, max_vertices: int) -> Aoi | None:
    if body.aoi is None:
        return None
    return read_geojson(body.aoi, max_vertices=max_vertices, repair=body.repair)


def _wanted(body: ExportBody, area: Aoi | None, hosts: Sequence[str]) -> Wanted:
    source, output = body.source, body.output
    if body.color is not None:
        check_formula(body.color, "/color")
    return Wanted(
        scenes=[scene_request(scene) for scene in source.scenes or ()],
        band_names=source.band_names,
        mask=source.mask,
        stretch=_percentiles(source.stretch),
        temporal=None if source.datetime is None else parse_interval(source.datetime),
        bands=body.bands,
        process=body.process if isinstance(body.process, str) else None,
        expression=body.expression,
        graph=parse_graph(body.process) if isinstance(body.process, dict) else None,
        color=body.color,
        aoi=area.to_geojson() if area else None,
        mosaic=body.mosaic,
        like=_grid(output.like, hosts),
        nodata=None if output.nodata is None else float(output.nodata),
        **output.model_dump(exclude={"like", "nodata"}),
    )


def scene_request(scene: SceneSource) -> SceneRequest:
    """A scene of a body, as the engine names it."""
    if isinstance(scene, str):
        return SceneRequest(href=scene)
    if scene.get("type") == "Feature" or "assets" in scene:
        return SceneRequest(item=scene)
    return SceneRequest(assets=scene)


def _percentiles(stretch: tuple[float, float] | None) -> tuple[float, float] | None:
    if stretch is not None and not 0 <= stretch[0] < stretch[1] <= 100:
        raise InvalidRequest("percentiles lie between 0 and 100, the lower one first", pointer="/source/stretch")
    return stretch


def _grid(like: str | None, hosts: Sequence[str]) -> Geobox | None:
    if like is None:
        return None
    try:
        permit(hosts)(_address(like))
    except InvalidScene as error:
        raise InvalidRequest(error.message, pointer="/output/like") from error
    return grid_of(like)


# Words ---------------------------------------------------------------------------------------------------------

FIELDS = {
    # an option of the command line, as the engine's messages name it -> the field of a body
    "--scene FILE": "source.scenes",
    "--scene": "source.scenes",
    "--band-names": "source.band_names",
    "--mask-asset": "source.mask.asset",
    "--mask-values": "source.mask.values",
    "--stretch": "source.stretch",
    "--datetime": "source.datetime",
    "--graph": "process",
    "--aoi-crs": "the member crs",
    **{f"--{name}": f"output.{name}" for name in ("crs", "resolution", "resampling", "profile", "level", "dtype")},
    **{f"--{name}": f"output.{name}" for name in ("scale", "offset", "nodata", "like")},
}
OPTION = re.compile(r"(?<![\w-])--(scene FILE|[a-z]+(-[a-z]+)*)")


@contextmanager
def told_of(body: ExportBody) -> Iterator[None]:
    """Errors inside speak of the fields of ``body``, where the engine speaks of options and of its own models."""
    try:
        yield
    except CutlineError as error:
        message = OPTION.sub(lambda option: FIELDS.get(option[0], option[0][2:]), error.message)
        raise type(error)(message, pointer=field_of(error.pointer, body), details=error.details) from error
