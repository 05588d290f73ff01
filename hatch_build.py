"""Builds the compiled loops of cutline.kernel into the wheel, by zig, which pip brings: no machine needs a compiler.

The same source is cross-built for other machines by CUTLINE_TARGET (a row of TARGETS), as for the Lambda layers.
CUTLINE_CC names another compiler for this machine.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ZIG = "ziglang==0.16.0"

FLAGS = (
    "-std=c99", "-O3", "-shared", "-fPIC", "-fvisibility=hidden", "-s",
    "-Wall", "-Wextra", "-Wno-psabi",
    "-ffp-contract=off",  # a fused multiply-add would round differently on CPUs that have it
)  # fmt: skip


class Target(NamedTuple):  # hatchling loads this file in a way that dataclasses do not survive
    zig: str
    cpu: str
    wheel: str
    """Platform tag of the wheel"""
    suffix: str = ".so"


TARGETS = {
    "linux-x86_64": Target("x86_64-linux-gnu.2.17", "x86_64_v2", "manylinux2014_x86_64.manylinux_2_17_x86_64"),
    "linux-aarch64": Target("aarch64-linux-gnu.2.17", "generic", "manylinux2014_aarch64.manylinux_2_17_aarch64"),
    "musllinux-x86_64": Target("x86_64-linux-musl", "x86_64_v2", "musllinux_1_1_x86_64"),
    "macos-arm64": Target("aarch64-macos.11.0", "apple_m1", "macosx_11_0_arm64", ".dylib"),
    "macos-x86_64": Target("x86_64-macos.10.15", "x86_64_v2", "macosx_10_15_x86_64", ".dylib"),
}


def this_machine() -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if sys.platform == "darwin":
        return "macos-arm64" if machine == "aarch64" else "macos-x86_64"
    libc = "musllinux" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else "linux"
    return f"{libc}-{machine}"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """hatchling calls this; see https://hatch.pypa.io/latest/plugins/build-hook/custom/."""

    def dependencies(self) -> list[str]:
        return [] if os.environ.get("CUTLINE_CC") else [ZIG]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        target = TARGETS[os.environ.get("CUTLINE_TARGET") or this_machine()]
        package = Path(self.root, "src", "cutline", "kernel")
        # Only an editable install is looked up in the source tree; a cross-built library must never land there.
        editable = version == "editable"
        folder = package if editable else Path(self.root, "build", target.wheel)
        folder.mkdir(parents=True, exist_ok=True)
        library = folder / f"_resample{target.suffix}"
        self._compile(sorted((package / "csrc").glob("*.c")), library, target)
        if not editable:
            build_data["force_include"][str(library)] = f"cutline/kernel/{library.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{self._platform(target)}"

    def _compile(self, sources: list[Path], library: Path, target: Target) -> None:
        other = os.environ.get("CUTLINE_CC")
        zig = [sys.executable, "-m", "ziglang", "cc", "-target", target.zig, f"-mcpu={target.cpu}"]
        cache = str(Path(self.root, "build", "zig-cache"))
        environ = {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache, **os.environ}
        compiler = other.split() if other else zig
        subprocess.run([*compiler, *FLAGS, "-o", str(library), *map(str, sources)], check=True, env=environ)

    def _platform(self, target: Target) -> str:
        if os.environ.get("CUTLINE_CC"):
            return sysconfig.get_platform().replace("-", "_").replace(".", "_")
        return target.wheel
