"""From the path a user gave to files of known kind, size and name in a directory of ours.

A zip is never given to OGR: its wanted members are copied out under names of ours, by what they are, with a limit on
the bytes that really come out. So a member's own path, a nested archive or a lying header reach nothing.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cutline.aoi.limits import MAX_RATIO, MAX_ZIP_DIRECTORY, MEBIBYTE, RATIO_MATTERS, megabytes, too_large
from cutline.aoi.model import refusal
from cutline.aoi.sniff import KIND_OF_SUFFIX, SHAPEFILE, SUPPORTED, ZIP, Kind, sniff

SIDECARS = {".shx": 64 * MEBIBYTE, ".dbf": 256 * MEBIBYTE, ".prj": MEBIBYTE, ".cpg": 1024}
"""The other files of a shapefile, and the most each may hold; there is no use here for the rest"""

ARCHIVES = {".zip", ".kmz", ".7z", ".rar", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".zst"}

COPY_BYTES = MEBIBYTE
END_OF_DIRECTORY = b"PK\x05\x06"
MAX_COMMENT = 65_535


@dataclass(frozen=True)
class Staged:
    """A file that may be opened."""

    name: str
    path: Path
    kind: Kind


def stage(path: Path, directory: Path, *, ignore_prj: bool) -> tuple[Staged, ...]:
    """The candidate files behind ``path``, staged in the empty ``directory``; at least one, or a Refusal.

    ``ignore_prj`` leaves a shapefile's .prj behind, because the user has said what the CRS is.
    """
    if path.is_dir():
        what = "a FileGDB" if path.suffix.lower() == ".gdb" else "a folder"
        raise refusal("unsupported-format", f"the path is {what}; an area of interest is read from {SUPPORTED}")
    if not path.is_file():
        raise refusal("no-such-file", f"there is no file {path.name!r}")
    sidecars = {suffix: cap for suffix, cap in SIDECARS.items() if not (ignore_prj and suffix == ".prj")}
    kind = sniff(path)
    if kind is ZIP:
        return _unpack(path, directory, sidecars)
    # Links, because OGR goes by the names around a file, and writes a missing .shx beside it.
    siblings = path.resolve().parent.iterdir() if kind is SHAPEFILE else ()
    wanted = {
        other.suffix.lower(): other
        for other in siblings
        if other.stem.casefold() == path.stem.casefold() and other.suffix.lower() in sidecars
    }
    name = _plain(path.stem)
    for suffix, source in {**wanted, kind.suffix: path.resolve()}.items():
        (directory / f"{name}{suffix}").symlink_to(source)
    return (Staged(name, directory / f"{name}{kind.suffix}", kind),)


def _unpack(path: Path, directory: Path, sidecars: dict[str, int]) -> tuple[Staged, ...]:
    _check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [_Member.of(info) for info in archive.infolist() if not info.is_dir()]
            members = [member for member in members if not member.hidden]
            staged = []
            for number, main in enumerate(_candidates(members)):
                folder = directory / str(number)
                folder.mkdir()
                name = _plain(main.stem)
                kind = KIND_OF_SUFFIX[main.suffix]
                target = folder / f"{name}{kind.suffix}"
                _copy(archive, main, target, kind.max_bytes)
                if kind is SHAPEFILE:
                    for other in _siblings(main, members, sidecars):
                        _copy(archive, other, folder / f"{name}{other.suffix}", sidecars[other.suffix])
                if sniff(target) is not kind:
                    raise refusal("disguised", f"the zip's member {target.name!r} is not what its name says")
                staged.append(Staged(name, target, kind))
            return tuple(staged)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise refusal("broken-zip", f"the zip cannot be unpacked: {error}") from error


@dataclass(frozen=True)
class _Member:
    info: zipfile.ZipInfo
    folder: PurePosixPath
    stem: str
    suffix: str
    """Lower case, with its dot"""

    @classmethod
    def of(cls, info: zipfile.ZipInfo) -> _Member:
        name = PurePosixPath(info.filename.replace("\\", "/"))
        return cls(info, name.parent, name.stem, name.suffix.lower())

    @property
    def hidden(self) -> bool:
        """Finder's resource forks and other dot files"""
        return self.stem.startswith(".") or "__MACOSX" in self.folder.parts


def _candidates(members: list[_Member]) -> list[_Member]:
    """The members that can hold an AOI: a KMZ's main document alone, else every file of a kind we read."""
    known = [member for member in members if member.suffix in KIND_OF_SUFFIX]
    documents = [member for member in known if (member.stem + member.suffix).lower() == "doc.kml"]
    if documents:
        return [min(documents, key=lambda member: len(member.folder.parts))]
    # A .json beside other data is most likely metadata.
    chosen = [member for member in known if member.suffix != ".json"] or known
    if not chosen:
        raise _nothing_found(members)
    if len(chosen) > MAX_CANDIDATES:
        raise too_large(f"the zip holds {len(chosen)} files that could be the area; put the one that is in a zip alone")
    return chosen


MAX_CANDIDATES = 20


def _nothing_found(members: list[_Member]) -> Exception:
    if any(member.folder.name.lower().endswith(".gdb") for member in members):
        return refusal("unsupported-format", f"the zip holds a FileGDB; an area of interest is read from {SUPPORTED}")
    if any(member.suffix in ARCHIVES for member in members):
        return refusal("nested-archive", "the zip holds another archive; unpack that and give what is in it")
    suffixes = ", ".join(sorted({member.suffix or "nameless" for member in members})[:5]) or "no"
    return refusal(
        "unsupported-format",
        f"the zip holds {suffixes} files only; an area of interest is read from {SUPPORTED}",
    )


def _siblings(main: _Member, members: Iterable[_Member], sidecars: dict[str, int]) -> list[_Member]:
    """The members beside ``main`` that belong to the same shapefile."""
    return [
        member
        for member in members
        if member.folder == main.folder and member.stem.casefold() == main.stem.casefold() and member.suffix in sidecars
    ]


def _copy(archive: zipfile.ZipFile, member: _Member, target: Path, cap: int) -> None:
    declared, packed = member.info.file_size, max(member.info.compress_size, 1)
    if declared > cap:
        raise too_large(f"{target.name!r} in the zip unpacks to {megabytes(declared)}, over {megabytes(cap)}")
    if declared > RATIO_MATTERS and declared > MAX_RATIO * packed:
        raise too_large(f"{target.name!r} in the zip is packed {declared // packed}:1, over {MAX_RATIO}:1")
    left = cap
    with archive.open(member.info) as source, target.open("wb") as sink:
        while piece := source.read(COPY_BYTES):
            left -= len(piece)
            if left < 0:
                raise too_large(f"{target.name!r} in the zip unpacks to more than it declares")
            sink.write(piece)


def _check_directory(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_COMMENT - 22))
        tail = file.read()
    end = tail.rfind(END_OF_DIRECTORY)
    size = int.from_bytes(tail[end + 12 : end + 16], "little")
    if end < 0:
        raise refusal("broken-zip", "the zip has no directory at its end; it is damaged or was cut off")
    if size > MAX_ZIP_DIRECTORY:
        raise too_large(f"the zip's directory has {megabytes(size)}, over {megabytes(MAX_ZIP_DIRECTORY)}")


def _plain(stem: str) -> str:
    """A file name without anything a path, a driver or a URL could read as more than a name."""
    return re.sub(r"[^\w-]+", "_", stem)[:64] or "aoi"
