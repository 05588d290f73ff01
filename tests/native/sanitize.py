"""Builds fuzz.c with the kernel under AddressSanitizer and UBSan, and runs it; see `make check-native`.

Where the machine's compiler brings no AddressSanitizer, by zig, which brings UBSan alone; says so. Fails where there is
no sanitizer at all.
"""

# ruff: noqa: T201 — it is a program, and says what it does

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
CSRC = ROOT / "src" / "cutline" / "kernel" / "csrc"
SOURCES = sorted(CSRC.glob("*.c"))
BUILD = ROOT / "build" / "native"
ZIG = (sys.executable, "-m", "ziglang", "cc")
ENVIRON = {"ZIG_GLOBAL_CACHE_DIR": str(ROOT / "build" / "zig-cache"), **os.environ}

COMMON = ("-std=c99", "-Wall", "-Wextra", "-Wno-psabi", "-g", "-O1", "-ffp-contract=off", "-fno-sanitize-recover=all")
UBSAN = ("-fsanitize=undefined", "-fsanitize=float-cast-overflow", "-fsanitize=float-divide-by-zero")
ASAN = ("-fsanitize=address",)
PATTERN = ("-ftrivial-auto-var-init=pattern",)
"""Variables without a value get one that shows"""

PROBE = """
#include <stdlib.h>
int main(int argc, char **argv) {
    volatile double huge = 1e300;
    volatile char *buffer = malloc((size_t)argc);
    (void)argv;
    if (argc == 2) return buffer[argc];
    free((void *)buffer);
    return argc == 3 ? (int)huge : 0;
}
"""
PASSES: list[str] = []
READS_BEYOND = ["1"]
CASTS_HUGE = ["1", "2"]


class Sanitizer(NamedTuple):
    """A compiler that was seen to find what it is for."""

    command: tuple[str, ...]
    finds_memory_errors: bool


def find(compiler: str) -> Sanitizer | None:
    """The named compiler where it has both sanitizers, else zig where it has UBSan."""
    candidates = (
        Sanitizer((*shlex.split(compiler), *COMMON, *ASAN, *UBSAN, *PATTERN), True),
        Sanitizer((*shlex.split(compiler), *COMMON, *ASAN, *UBSAN), True),
        Sanitizer((*ZIG, *COMMON, *UBSAN, *PATTERN), False),
    )
    return next((candidate for candidate in candidates if _works(candidate)), None)


def _works(sanitizer: Sanitizer) -> bool:
    BUILD.mkdir(parents=True, exist_ok=True)
    source, program = BUILD / "probe.c", BUILD / "probe"
    source.write_text(PROBE)
    command = [*sanitizer.command, str(source), "-o", str(program)]
    try:
        built = subprocess.run(command, env=ENVIRON, capture_output=True, check=False)
    except FileNotFoundError:
        return False
    if built.returncode:
        return False
    passes, beyond, huge = (
        subprocess.run([program, *arguments], capture_output=True, check=False)
        for arguments in (PASSES, READS_BEYOND, CASTS_HUGE)
    )
    sees_beyond = b"heap-buffer-overflow" in beyond.stderr or not sanitizer.finds_memory_errors
    return passes.returncode == 0 and sees_beyond and huge.returncode != 0


def build(command: tuple[str, ...], name: str) -> Path:
    """fuzz.c with the kernel, compiled once for a command and a state of the sources."""
    sources = [Path(__file__).with_name("fuzz.c"), *SOURCES]
    read = [*sources, *sorted(Path(__file__).parent.glob("*.h")), *sorted(CSRC.iterdir())]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in read) + repr(command).encode()).hexdigest()[:12]
    program = BUILD / f"fuzz-{name}-{key}"
    if not program.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        made = program.with_suffix(".new")
        subprocess.run([*command, f"-I{CSRC}", *sources, "-o", made], env=ENVIRON, check=True)
        for old in BUILD.glob(f"fuzz-{name}-*[0-9a-f]"):
            old.unlink()
        made.rename(program)
    return program


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cc", default="cc", help="the compiler to try first")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--first", type=int, default=0, help="the case to begin with")
    options.add_argument("--jobs", type=int, default=20_000)
    given = options.parse_args()
    sanitizer = find(given.cc)
    if sanitizer is None:
        print(f"check-native: neither {given.cc} nor zig has a sanitizer that works here, so nothing was checked")
        return 1
    if not sanitizer.finds_memory_errors:
        print(
            f"check-native: {given.cc} does not link AddressSanitizer. This run is by zig and UBSan alone: memory "
            "errors were NOT looked for; install gcc or clang, or name one by CC="
        )
    program = build(sanitizer.command, "sanitized")
    print(f"check-native: {given.jobs} jobs by {program.relative_to(ROOT)}", flush=True)
    return subprocess.run([program, *map(str, (given.seed, given.first, given.jobs))], check=False).returncode


if __name__ == "__main__":
    sys.exit(main() and 1)
