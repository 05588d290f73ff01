"""What there is to choose from: the spectral indices of spyndex's catalogue and the processes of openEO."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import Field

from cutline.errors import InvalidProcess
from cutline.models.base import Model
from cutline.process.bands import SPYNDEX_BANDS
from cutline.process.loading import LOADERS, PLACING
from cutline.process.registry import PROCESSES
from cutline.process.signature import REQUIRED, suggestion


class ProcessInfo(Model):
    """One index or process, for people."""

    name: str
    long_name: str
    kind: Literal["index", "openeo", "cutline"]
    """"cutline" is a process of our own"""
    formula: str = ""
    """Of an index, in the catalogue's letters: ``symbols`` says which band each is"""
    symbols: dict[str, str] = Field(default_factory=dict)
    """Letter -> common name of the band"""
    bands: tuple[str, ...] = ()
    """Common names of the bands it needs"""
    constants: dict[str, float] = Field(default_factory=dict)
    """Values of the other letters"""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Of an openEO process: name -> default; a required one maps to "required" """
    domain: str = ""
    """Of an index: vegetation, water, burn, …; of a process: what it works on"""
    reference: str = ""
    note: str = ""
    supported: bool = True


@dataclass(frozen=True)
class Index:
    """One row of indices.json, and what we make of it."""

    name: str
    long_name: str
    formula: str
    domain: str
    reference: str
    computed: str
    """The formula as an expression of ``names``"""
    names: Mapping[str, str | float]
    """Letter -> common band name, or the value of a constant"""
    note: str = ""
    refused: str = ""
    """Why it cannot be computed"""

    @property
    def bands(self) -> dict[str, str]:
        return {letter: meaning for letter, meaning in self.names.items() if isinstance(meaning, str)}

    @property
    def constants(self) -> dict[str, float]:
        return {letter: meaning for letter, meaning in self.names.items() if not isinstance(meaning, str)}


KERNEL = re.compile(r"\bk([A-Z])([A-Z])\b")
KERNEL_NOTE = (
    "k(a, b) is the RBF kernel exp(-(a - b)² / (2σ²)) with σ = (a + b) / 2 at each pixel, the choice of "
    "https://doi.org/10.1126/sciadv.abc7447, with which kNDVI = tanh(NDVI²)."
)
OWN_CONSTANTS: dict[str, dict[str, float]] = {"WCI1": {"epsilon": 1e-10}, "WCI2": {"epsilon": 1e-10}}
"""Where the catalogue's description of a constant gives another default for an index"""


def _kernel(match: re.Match[str]) -> str:
    a, b = match.groups()
    return "1" if a == b else f"exp(-2*(({a}-{b})/({a}+{b}))**2)"


@cache
def indices() -> Mapping[str, Index]:
    """Short name -> index."""
    document = json.loads(files("cutline.process").joinpath("indices.json").read_text(encoding="utf-8"))
    defaults = {name: constant["default"] for name, constant in document["constants"].items()}
    return {name: _index(name, row, defaults) for name, row in document["indices"].items()}


def _index(name: str, row: Mapping[str, Any], defaults: Mapping[str, Any]) -> Index:
    computed = KERNEL.sub(_kernel, row["formula"])
    # A letter of a kernel stands for the letters inside it: kNR for N and R.
    letters = [letter for parameter in row["parameters"] for letter in _letters(parameter)]
    constants = {**defaults, **OWN_CONSTANTS.get(name, {})}
    names: dict[str, str | float] = {}
    missing = []
    for letter in dict.fromkeys(letters):
        if letter in SPYNDEX_BANDS:
            names[letter] = SPYNDEX_BANDS[letter]
        elif constants.get(letter) is not None:
            names[letter] = float(constants[letter])
        else:
            missing.append(letter)
    what = ", ".join(missing)
    wavelengths = "the centre wavelengths" if any(letter.startswith("lambda") for letter in missing) else "a value of"
    return Index(
        name=name,
        long_name=row["long_name"],
        formula=row["formula"],
        domain=row["domain"],
        reference=row["reference"],
        computed=computed,
        names=names,
        note=KERNEL_NOTE if computed != row["formula"] else "",
        refused=f"it needs {wavelengths} {what}, which have no default" if missing else "",
    )


def _letters(parameter: str) -> tuple[str, ...]:
    kernel = KERNEL.fullmatch(parameter)
    return kernel.groups() if kernel else (parameter,)


FEW = ("NDVI", "EVI", "NDWI")
"""For who knows none"""


def find_index(name: str) -> Index:
    """By short name; case matters only between two that differ in nothing else (BAI, BaI)."""
    known = indices()
    if name in known:
        return known[name]
    matches = [candidate for candidate in known if candidate.lower() == name.lower()]
    if len(matches) == 1:
        return known[matches[0]]
    if matches:
        raise InvalidProcess(
            f"The name {name!r} may be {' or '.join(matches)}: write it as one of them.", pointer="/process"
        )
    raise InvalidProcess(f"There is no index {name!r}{suggestion(name, known, FEW)}", pointer="/process")


@cache
def list_processes() -> tuple[ProcessInfo, ...]:
    """Every index and process, the indices first, by name."""
    processes = tuple(_process_info(name) for name in sorted(PROCESSES))
    return *(_index_info(index) for index in indices().values()), *processes


def describe_process(name: str) -> ProcessInfo:
    """By name, case aside. InvalidProcess for an unknown one, with the nearest names."""
    if name in PROCESSES:
        return _process_info(name)
    known = [*indices(), *PROCESSES]
    if name.lower() not in {candidate.lower() for candidate in known}:
        raise InvalidProcess(f"There is no process or index {name!r}{suggestion(name, known, FEW)}", pointer="/process")
    return (
        _process_info(name.lower())
        if name.lower() in PROCESSES and name not in indices()
        else _index_info(find_index(name))
    )


def _index_info(index: Index) -> ProcessInfo:
    note = f"Not supported: {index.refused}." if index.refused else index.note
    return ProcessInfo(
        name=index.name,
        long_name=index.long_name,
        kind="index",
        formula=index.formula,
        symbols=index.bands,
        bands=tuple(index.bands.values()),
        constants=index.constants,
        domain=index.domain,
        reference=index.reference,
        note=note,
        supported=not index.refused,
    )


OWN = frozenset({"color_formula"})


def _process_info(name: str) -> ProcessInfo:
    process = PROCESSES[name]
    placing = name in LOADERS or name in PLACING
    return ProcessInfo(
        name=name,
        long_name=process.doc,
        kind="cutline" if name in OWN else "openeo",
        bands=("nir", "red") if name == "ndvi" else (),
        parameters={key: "required" if value is REQUIRED else value for key, value in process.defaults.items()},
        reference="https://github.com/vincentsarago/color-operations"
        if name in OWN
        else f"https://processes.openeo.org/#{name}",
        note="Becomes a field of the request." if placing else "",
    )
