"""Every library we ship: what it exports and needs, and that all of them give the same bits.

Not part of `make test`, as it takes compilers and minutes: `make check-native` names this file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import lief
import pytest
import sanitize

from hatch_build import FLAGS, TARGETS, Target, this_machine

LARGEST = 1 << 20
EXPORTS = {
    name
    for header in sanitize.CSRC.glob("*.h")
    for name in re.findall(r"^CUTLINE_API [^(]*?(\w+)\(", header.read_text(), re.MULTILINE)
}
MACHO_OWN = {"__mh_dylib_header", "___dso_handle"}
"""What the linker for macOS adds"""
FUSED = re.compile(r"^\s+(v?fn?m(add|sub|la|ls|ad|sb)\w*|fcmla|bfml\w+)\s", re.MULTILINE)
"""Multiply-add of one rounding, by the names of x86_64 and aarch64 (NEON and SVE)"""
PRODUCT = re.compile(r"^\s+(mulps|fmul|fmul\.4s)\s", re.MULTILINE)
JOBS = "200"
"""As many as an emulated CPU does in a quarter of a minute"""


def zig(target: Target, *without: str, triple: str | None = None) -> tuple[str, ...]:
    """The hook's command, without some of its flags or for another system."""
    flags = (flag for flag in FLAGS if flag not in without)
    return (*sanitize.ZIG, "-target", triple or target.zig, f"-mcpu={target.cpu}", *flags)


def run(*command: str | Path) -> str:
    return subprocess.run(command, env=sanitize.ENVIRON, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture(params=TARGETS)
def row(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_library_exports_the_header_and_needs_the_c_library_alone(row: str) -> None:
    target = TARGETS[row]
    library = sanitize.BUILD / f"{row}{target.suffix}"
    run(*zig(target), "-o", library, *sanitize.SOURCES)
    assert library.stat().st_size < LARGEST
    check = _check_macho if row.startswith("macos") else _check_elf
    check(library, target)


def _check_elf(library: Path, target: Target) -> None:
    elf = lief.ELF.parse(str(library))
    assert elf is not None
    assert {str(symbol.name) for symbol in elf.exported_symbols} == EXPORTS
    assert set(map(str, elf.libraries)) <= {"libc.so" if "musl" in target.zig else "libc.so.6"}
    versions = {
        str(needed.name) for library in elf.symbols_version_requirement for needed in library.get_auxiliary_symbols()
    }
    newest = (2, 17)
    for version in versions:
        assert tuple(map(int, version.removeprefix("GLIBC_").split("."))) <= newest, version


def _check_macho(library: Path, target: Target) -> None:
    macho = lief.MachO.parse(str(library))
    binary = macho.at(0) if macho is not None else None
    assert binary is not None
    assert binary.build_version is not None
    assert {str(symbol.name) for symbol in binary.exported_symbols} - MACHO_OWN == {f"_{name}" for name in EXPORTS}
    needed = {str(other.name) for other in binary.libraries if Path(str(other.name)).name != library.name}
    assert needed <= {"/usr/lib/libSystem.B.dylib"}
    oldest = ".".join(str(part) for part in binary.build_version.minos[:2])
    assert oldest == target.zig.split("macos.")[1]


def test_no_multiply_add_is_fused(row: str) -> None:
    """A fused one rounds once instead of twice, so CPUs that have it would give other bits."""
    text = ""
    for source in sanitize.SOURCES:
        made = sanitize.BUILD / f"{row}-{source.stem}.s"
        run(*zig(TARGETS[row], "-shared", "-s"), "-g0", "-S", source, "-o", made)
        text += made.read_text(errors="replace")
    assert PRODUCT.search(text), "this is no assembly with arithmetic"
    assert not FUSED.search(text), FUSED.search(text)


@pytest.mark.parametrize(
    ("triple", "cpu"),
    [("aarch64-linux-gnu", "generic"), ("aarch64-macos", "apple_m1"), ("x86_64-linux-gnu", "x86_64_v3")],
)
def test_a_fused_one_would_be_seen(triple: str, cpu: str, tmp_path: Path) -> None:
    source, made = tmp_path / "fused.c", tmp_path / "fused.s"
    source.write_text("float fused(float a, float b, float c) { return a * b + c; }\n")
    options = ["-target", triple, f"-mcpu={cpu}", "-O2", "-ffp-contract=fast", "-g0", "-S"]
    run(*sanitize.ZIG, *options, source, "-o", made)
    assert FUSED.search(made.read_text())


def test_every_cpu_and_compiler_gives_the_same_bits() -> None:
    """The fuzz prints a digest of what its jobs wrote: here, on an emulated aarch64, and from the sanitized build."""
    arm, ours = TARGETS["linux-aarch64"], TARGETS[this_machine()]
    emulated = sanitize.build((*zig(arm, "-shared", "-s", triple="aarch64-linux-musl"), "-static"), "aarch64")
    sanitizer = sanitize.find(os.environ.get("CC", "cc"))
    assert sanitizer is not None
    here = run(sanitize.build(zig(ours, "-shared", "-s"), "here"), "1", "0", JOBS)
    assert "digest" in here
    assert run(sys.executable, Path(__file__).with_name("emulate.py"), emulated, "1", "0", JOBS) == here
    assert run(sanitize.build(sanitizer.command, "sanitized"), "1", "0", JOBS) == here
