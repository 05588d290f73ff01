"""Results as files, one a section and a size of scenes; those of full size are the repository's document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.facts import facts, now
from benchmarks.scenes import FULL_SIZE, OUT


def folder(size: int) -> Path:
    """Where the results for scenes of this size are."""
    return OUT / "results" / ("" if size == FULL_SIZE else str(size))


def load(size: int, section: str) -> dict[str, Any]:
    """When and where a section was measured, and under ``result`` what came out; {} if it was not."""
    path = folder(size) / f"{section}.json"
    loaded: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return loaded


def save(size: int, section: str, runs: int, result: dict[str, Any]) -> None:
    """Keep what came out."""
    folder(size).mkdir(parents=True, exist_ok=True)
    kept = {"at": now(), "runs": runs, "facts": facts(), "result": result}
    (folder(size) / f"{section}.json").write_text(json.dumps(kept, indent=1))
