"""What a build must keep to, so that Lambda can load it: size, glibc, and every library that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

MIB = 1 << 20
LIMIT = 250 * MIB
"""Of a layer and the code together, unpacked"""

NEWEST = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13), "GCC": (11, 0)}
"""Of Amazon Linux 2023, from its glibc and gcc"""

SYSTEM = frozenset(
    {
        "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
        "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1",
    }
)  # fmt: skip
"""What Lambda's own system has. Not libexpat.so.1, although manylinux takes it for granted"""


@dataclass(frozen=True)
class Library:
    """A compiled library, as its headers describe it."""

    path: Path
    machine: str
    needs: frozenset[str]
    """File names of other libraries"""
    versions: frozenset[str]
    """Of their symbols: GLIBC_2.17, …"""
    imports: frozenset[str]
    exports: frozenset[str]


def check(folder: Path, layers: Sequence[str]) -> str:
    """One line for people. Raises SystemExit with what is wrong."""
    code = size(folder / "code")
    told, wrong = [], []
    for layer in layers:
        nbytes = size(folder / layer)
        told.append(f"{layer} {nbytes / MIB:.0f}")
        if nbytes + code >= LIMIT:
            wrong.append(f"{layer} and the code have {(nbytes + code) / MIB:.0f} MiB, {LIMIT // MIB} are allowed")
        found = [*libraries(folder / layer), *libraries(folder / "code")]
        wrong += [f"{layer}: {problem}" for problem in problems(found, folder.name)]
    if wrong:
        raise SystemExit("\n".join([f"{folder}:", *wrong]))
    return f"{folder.name}: {', '.join(told)}, code {code / MIB:.1f} MiB; every library loads on Amazon Linux 2023"


def size(folder: Path) -> int:
    """Bytes of all files, as Lambda counts them."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def libraries(folder: Path) -> Iterator[Library]:
    """All below a folder."""
    for path in sorted(folder.rglob("*.so*")):
        if path.is_file():
            yield _library(path)


def problems(found: Sequence[Library], target: str) -> Iterator[str]:
    """Why some of the ``found`` do not load, one sentence each."""
    names = {library.path.name for library in found}
    for library in found:
        name = library.path.name
        for missing in sorted(library.needs - names - SYSTEM):
            yield f"{name} needs {missing}, which nobody brings"
        for version in sorted(library.versions):
            family, _, number = version.partition("_")
            if family in NEWEST and number[:1].isdigit() and _parts(number) > NEWEST[family]:
                yield f"{name} needs {version}, newer than Amazon Linux 2023"
    if len(machines := {library.machine for library in found}) > 1:
        yield f"{target} mixes {', '.join(sorted(machines))}"
    for library in found:
        if library.path.name == "libexpat.so.1":
            wanted = {name for other in found for name in other.imports if name.startswith("XML_")}
            if missing_names := wanted - library.exports:
                yield f"libexpat.so.1 lacks {', '.join(sorted(missing_names))}"


def _library(path: Path) -> Library:
    with path.open("rb") as file:
        elf = ELFFile(file)
        needs, versions, imports, exports = set(), set(), set(), set()
        for section in elf.iter_sections():
            if isinstance(section, DynamicSection):
                needs |= {tag.needed for tag in section.iter_tags() if tag.entry.d_tag == "DT_NEEDED"}
            elif isinstance(section, GNUVerNeedSection):
                versions |= {aux.name for _, auxiliaries in section.iter_versions() for aux in auxiliaries}
            elif isinstance(section, SymbolTableSection) and section.name == ".dynsym":
                for symbol in section.iter_symbols():
                    (imports if symbol["st_shndx"] == "SHN_UNDEF" else exports).add(symbol.name)
        return Library(path, elf["e_machine"], *map(frozenset, (needs, versions, imports, exports)))


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))
