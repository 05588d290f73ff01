"""The names of files, before anything is opened: which we accept, and how GDAL spells them."""

from __future__ import annotations

import os.path
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from cutline.errors import InvalidScene
from cutline.store import scheme_of


def resolve(href: str, base: str | None = None) -> str:
    """``href``, checked and made absolute: a path, or an s3, https or http URL.

    Relative hrefs are taken from ``base``, the STAC item they stand in, else from the working folder. Raises
    InvalidScene for what GDAL would take for something else than a file, and for a local path in a remote item.
    """
    href = href.removeprefix("file://")
    _check_characters(href)
    if scheme_of(href):
        return _check_url(href)
    if base is not None and scheme_of(base):
        if href.startswith("/"):
            raise InvalidScene(f"{shown(href)}: a remote STAC item cannot name a file of this machine")
        return _check_url(_join(base, href))
    # Not Path.resolve(): what a symbolic link is called is the scene's name.
    path = os.path.abspath(PurePosixPath(base or "").parent / href)  # noqa: PTH100
    if path.startswith("/vsi"):
        raise InvalidScene(f"{path}: GDAL's virtual files (/vsi…) are not read; name the file itself")
    return path


def path_of(href: str) -> str:
    """The path alone, without host, query and percent signs: what a suffix or a stem is taken from."""
    return unquote(urlsplit(href).path) if href.startswith(("https://", "http://")) else href


def stem(href: str) -> str:
    """The file's name without its suffix."""
    return PurePosixPath(path_of(href)).stem


def shown(href: str) -> str:
    """``href`` as messages may show it: without the query, where signatures are."""
    return href.partition("?")[0] if "://" in href else href


def check_id(scene_id: str) -> str:
    """``scene_id``, unless GDAL could read it as an instruction. Raises InvalidScene."""
    if any(mark in scene_id for mark in ("<", "/vsi", "://")) or not scene_id.isprintable() or not scene_id.strip():
        raise InvalidScene(f"{scene_id!r} cannot be a scene's id")
    return scene_id


def _check_characters(href: str) -> None:
    if not href.strip():
        raise InvalidScene("an href is empty")
    if "<" in href or not href.isprintable():
        raise InvalidScene(f"{shown(href)!r} is not the name of a file")
    if href.startswith("/vsi"):
        raise InvalidScene(f"{href}: GDAL's virtual files (/vsi…) are not read; name the file itself")


def _check_url(href: str) -> str:
    try:
        place = urlsplit(href)
        named = place.hostname and " " not in place.hostname and place.path.strip("/") and place.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        named = False
    if not named:
        raise InvalidScene(f"{shown(href)} names no file; write it as https://host/path (a port is 1 to 65535)")
    if place.username is not None:
        raise InvalidScene(f"{place.scheme}://{place.hostname}: credentials do not belong into an address")
    return href


def _join(base: str, href: str) -> str:
    # urljoin knows relative references for http; s3 has the same syntax but is not in its list.
    scheme, _, rest = base.partition("://")
    return scheme + urljoin("http://" + rest, href).removeprefix("http") if scheme == "s3" else urljoin(base, href)
