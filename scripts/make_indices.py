"""Writes src/cutline/process/indices.json: the catalogue of spectral indices, from spyndex (a dev dependency).

    .venv/bin/python scripts/make_indices.py

spyndex evaluates its formulas with eval, so Cutline takes its catalogue as data and leaves the code.
"""

from __future__ import annotations

import json
from pathlib import Path

import spyndex

TARGET = Path(__file__).parents[1] / "src/cutline/process/indices.json"


def main() -> None:
    names = {name for index in spyndex.indices.values() for name in index.bands}
    constants = {
        name: {"default": constant.default, "description": constant.description}
        for name, constant in sorted(spyndex.constants.items())
        if name in names
    }
    indices = {
        name: {
            "long_name": index.long_name,
            "formula": index.formula,
            "parameters": index.bands,
            "domain": index.application_domain,
            "reference": index.reference,
        }
        for name, index in sorted(spyndex.indices.items())
    }
    document = {
        "source": f"spyndex {spyndex.__version__}, https://github.com/awesome-spectral-indices/spyndex",
        "license": "MIT, Copyright (c) David Montero Loaiza and the contributors of Awesome Spectral Indices",
        "constants": constants,
        "indices": indices,
    }
    TARGET.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
