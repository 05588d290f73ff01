"""The catalogue against spyndex, whose code evaluates the same formulas in its own way."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import numpy as np
import pytest
import spyndex

from cutline.errors import InvalidProcess
from cutline.process import compile_graph, describe_process, list_processes, lower, named_graph, parse_graph
from cutline.process.bands import SPYNDEX_BANDS
from cutline.process.catalogue import indices
from cutline.process.registry import PROCESSES

NOT_COMPUTED = {"CRSWIR", "DVIplus", "FAI", "FDI", "NDGI", "NIRvH2", "NIRvP"}
"""They need central wavelengths or radiation, for which there is no default."""

RANDOM = np.random.default_rng(7)
SAMPLES = {letter: RANDOM.uniform(0.05, 0.6, (2, 50)) for letter in SPYNDEX_BANDS}
SUPPORTED = sorted(indices().keys() - NOT_COMPUTED)


def test_the_file_is_what_the_script_makes():
    document = json.loads(files("cutline.process").joinpath("indices.json").read_text(encoding="utf-8"))
    assert document["source"].startswith(f"spyndex {spyndex.__version__},")
    assert document["license"].startswith("MIT")
    assert {name: row["formula"] for name, row in document["indices"].items()} == {
        name: index.formula for name, index in spyndex.indices.items()
    }


def test_what_is_not_computed():
    assert {index.name for index in indices().values() if index.refused} == NOT_COMPUTED
    assert len(SUPPORTED) == len(spyndex.indices) - 7
    for name in NOT_COMPUTED:
        with pytest.raises(InvalidProcess, match=name):
            named_graph(name)


def kernel(letters: str) -> np.ndarray:
    a, b = (SAMPLES[letter] if letter in SAMPLES else np.float64(1.0) for letter in letters)
    return spyndex.computeKernel("RBF", a=a, b=b, sigma=(a + b) / 2)


@pytest.mark.parametrize("name", SUPPORTED)
def test_equals_spyndex(name):
    index = indices()[name]
    parameters = {
        letter: kernel(letter[1:])
        if re.fullmatch("k[A-Z]{2}", letter)
        else SAMPLES.get(letter, index.constants.get(letter))
        for letter in spyndex.indices[name].bands
    }
    with np.errstate(invalid="ignore"):
        expected = spyndex.computeIndex(name, params=parameters)
    bands = {common: SAMPLES[letter] for letter, common in SPYNDEX_BANDS.items()}
    process = compile_graph(lower(parse_graph(named_graph(name))).graph, tuple(bands), dict.fromkeys(bands, "float64"))
    found = process(np.stack([bands[band] for band in process.inputs]))
    assert set(process.inputs) == set(index.bands.values())
    assert process.outputs == (name.lower(),)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found[0][finite], expected[finite], rtol=1e-9)
    assert not np.isfinite(found[0][~finite]).any()


def test_kndvi_is_the_papers():
    process = compile_graph(lower(named_graph("kndvi")).graph, ("nir", "red"), {"nir": "uint16", "red": "uint16"})
    nir, red = np.array([[[4000.0, 900.0]], [[500.0, 1100.0]]])
    np.testing.assert_allclose(process(np.stack([nir, red]))[0], np.tanh(((nir - red) / (nir + red)) ** 2))


@pytest.mark.parametrize("name", ["evi", "EVI", "Evi"])
def test_case_does_not_matter(name):
    assert named_graph(name) == named_graph("EVI")


def test_unless_two_differ_in_nothing_else():
    assert named_graph("BAI") != named_graph("BaI")
    with pytest.raises(InvalidProcess, match="BAI or BaI"):
        named_graph("bai")


def test_ndvi_is_openeos():
    assert [node.process_id for node in named_graph("NDVI").values()] == ["load_collection", "ndvi"]


def test_an_unknown_index_is_named_with_what_was_meant():
    with pytest.raises(InvalidProcess, match=r"'NDWII'.*NDWI"):
        named_graph("NDWII")
    with pytest.raises(InvalidProcess, match="did you mean NDVI or"):
        named_graph("nvdi")
    with pytest.raises(InvalidProcess, match="filter_bands"):
        describe_process("filterbands")


def test_descriptions():
    evi = describe_process("evi")
    assert (evi.name, evi.kind, evi.bands) == ("EVI", "index", ("nir", "red", "blue"))
    assert evi.constants == {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 1.0}
    assert evi.symbols["N"] == "nir"
    assert evi.reference.startswith("https://")
    assert describe_process("ndvi").kind == "openeo"
    assert describe_process("NDVI").kind == "index"
    assert describe_process("clip").parameters == {"x": "required", "min": "required", "max": "required"}
    assert describe_process("color_formula").kind == "cutline"
    assert not describe_process("FAI").supported
    assert "σ" in describe_process("kNDVI").note


def test_everything_is_listed_once():
    names = [info.name for info in list_processes()]
    assert len(names) == len(set(names)) == len(PROCESSES) + len(spyndex.indices)
    assert all(describe_process(info.name) == info for info in list_processes())
