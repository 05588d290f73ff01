"""Builds the layers and the code asset into build/lambda, with pip and zig alone.

    python -m layers.build          for the runtime of cdk.json, on both architectures
    python -m layers.build --here   the same locks for the Python that runs this, to be tried

Below ``build/lambda/{runtime}-{architecture}`` lie ``gdal``, ``ogr`` and ``code``, as Lambda unpacks them: layers into
/opt, the code into /var/task.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layers.check import check
from layers.slim import slim

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "build" / "lambda"
LAYERS = tuple(sorted(lock.parent.name for lock in (ROOT / "layers").glob("*/requirements.txt")))
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's name of an architecture -> that of wheels and of hatch_build.py"""
MANYLINUX = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_17", "manylinux2014")
"""What Amazon Linux 2023, with its glibc 2.34, runs. pip takes a name literally: older ones are not implied"""
HERE = "here"


@dataclass(frozen=True)
class Target:
    """What is built for."""

    name: str
    """Of the folder"""
    machine: str
    version: str | None
    """Of Python; None: the one that runs this"""

    @property
    def folder(self) -> Path:
        return BUILT / self.name

    def pip(self) -> list[str]:
        """Options of pip install: nothing but wheels, and nothing that a lock does not name."""
        foreign: list[str] = []
        if self.version:
            foreign = ["--implementation", "cp", "--python-version", self.version]
            foreign += [f"--platform={name}_{self.machine}" for name in MANYLINUX]
        return ["--no-deps", "--no-compile", "--only-binary=:all:", *foreign]


def for_lambda(runtime: str, architecture: str) -> Target:
    return Target(f"{runtime}-{architecture}", MACHINES[architecture], runtime.removeprefix("python"))


def for_here() -> Target:
    return Target(HERE, platform.machine(), None)


def build(target: Target) -> None:
    """Make the layers and the code anew."""
    for layer in LAYERS:
        _build_layer(target, layer)
    _build_code(target)


def _build_layer(target: Target, layer: str) -> None:
    folder = _emptied(target.folder / layer)
    packages = folder / "python"
    _pip("install", "--target", packages, *target.pip(), "-r", ROOT / "layers" / layer / "requirements.txt")
    slim(packages)
    for source in sorted((ROOT / "layers" / layer).glob("lib*.c")):
        _compile(source, folder / "lib" / f"{source.stem}.so.1", target)


def _build_code(target: Target) -> None:
    """Our own code, with the kernel of the architecture, and the packages of requirements/asset.txt."""
    folder = _emptied(target.folder / "code")
    with tempfile.TemporaryDirectory(prefix="cutline-wheel-") as aside:
        kernel = {"CUTLINE_TARGET": f"linux-{target.machine}"}
        _pip("wheel", "--no-deps", "--wheel-dir", aside, ROOT, environ=kernel)
        (wheel,) = Path(aside).glob("cutline-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    _pip("install", "--target", folder, *target.pip(), "-r", ROOT / "requirements" / "asset.txt")
    shutil.copytree(ROOT / "functions", folder / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    slim(folder)


def _compile(source: Path, library: Path, target: Target) -> None:
    library.parent.mkdir(parents=True)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", f"{target.machine}-linux-gnu.2.17"]
    flags = ["-std=c99", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-s", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*zig, *flags, f"-Wl,-soname,{library.name}", "-o", str(library), str(source)], check=True)


def _pip(*arguments: str | Path, environ: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    subprocess.run(command, check=True, env={**os.environ, **(environ or {})})


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Raises SystemExit where a check fails, and CalledProcessError where pip or zig does."""
    parser = argparse.ArgumentParser(description="Build the Lambda layers and the code asset.")
    parser.add_argument("--here", action="store_true", help="for the Python that runs this, for tests")
    parser.add_argument("--architecture", choices=MACHINES, action="append", help="both, if not said")
    chosen = parser.parse_args(arguments)
    runtime = json.loads((ROOT / "cdk.json").read_text())["context"]["cutline:runtime"]
    targets = [for_lambda(runtime, each) for each in chosen.architecture or MACHINES]
    for target in [for_here()] if chosen.here else targets:
        build(target)
        sys.stdout.write(check(target.folder, LAYERS) + "\n")


if __name__ == "__main__":
    main()
