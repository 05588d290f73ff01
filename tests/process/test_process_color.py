"""Colour formulas: checked word by word, applied as the library does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from color_operations import parse_operations

from cutline.errors import InvalidProcess
from cutline.process import bands_graph, color_graph, compile_graph, lower

FORMULA = "gamma RGB 1.1 saturation 1.2, sigmoidal RGB 15 0.35"
RGB = ("red", "green", "blue")


def process(formula=FORMULA, bands=RGB, dtype="uint8"):
    return compile_graph(lower(color_graph(bands_graph(()), formula)).graph, bands, dict.fromkeys(bands, dtype))


@pytest.mark.parametrize(("dtype", "full"), [("uint8", 255), ("uint16", 65535)])
@pytest.mark.parametrize("formula", [FORMULA, "gamma g 1.85, gamma B 1.95", "saturation 0", "sigmoidal 12 -3 0.5"])
def test_equals_the_library(formula, dtype, full):
    stored = np.random.default_rng(1).integers(0, full, (3, 20, 30), endpoint=True).astype(np.float32)
    expected = stored.astype(np.float64) / full
    for operation in parse_operations(formula.replace(",", "")):
        expected = np.clip(operation(expected), 0, 1)
    compiled = process(formula, dtype=dtype)
    assert compiled.dtype == dtype
    assert compiled.value_range == (0.0, full)
    np.testing.assert_allclose(compiled(stored), np.nan_to_num(expected) * full, rtol=1e-6, atol=1e-6 * full)


def test_no_data_and_alpha_stay():
    stored = np.array([[[10.0, np.nan]], [[20.0, 20.0]], [[30.0, 30.0]], [[255.0, 0.0]]], np.float32)
    found = process(bands=(*RGB, "alpha"))(stored)
    np.testing.assert_array_equal(found[3], stored[3])
    assert np.isfinite(found[:3, 0, 0]).all()
    assert np.isnan(found[:3, 0, 1]).all()


def test_values_beyond_full_brightness_are_full_brightness():
    found = process("gamma RGB 2")(np.array([[[300.0]], [[-5.0]], [[255.0]]]))
    np.testing.assert_array_equal(found.ravel(), [255.0, 0.0, 255.0])


def test_a_pixel_depends_on_no_other():
    stored = np.random.default_rng(2).integers(0, 255, (3, 31, 17)).astype(np.float32)
    compiled = process()
    np.testing.assert_array_equal(compiled(stored[:, 4:9, 3:4]), compiled(stored)[:, 4:9, 3:4])


def test_numpys_warnings_stay_as_they_are():
    before = np.geterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        process()(np.zeros((3, 2, 2), np.float32))
    assert np.geterr() == before


@pytest.mark.parametrize(
    ("formula", "word"),
    [
        ("", "such as"),
        ("gama RGB 1.1", "did you mean gamma"),
        ("gamma", "bands"),
        ("gamma RGBA 1.1", "'rgba'"),
        ("gamma RGB", "''"),
        ("gamma RGB 0", "'0'"),
        ("gamma RGB nan", "'nan'"),
        ("gamma RGB inf", "'inf'"),
        ("gamma RGB 1.1 1.2", "'1.2'"),
        ("sigmoidal RGB 15", "bias"),
        ("sigmoidal RGB 15 1.5", "'1.5'"),
        ("saturation RGB 1.2", "'RGB'"),
        ("gamma RGB __import__", "'__import__'"),
        ("gamma RGB 1 " * 60, "500"),
        (None, "text"),
    ],
)
def test_formulas_are_checked_word_by_word(formula, word):
    with pytest.raises(InvalidProcess) as caught:
        color_graph(bands_graph(()), formula)
    assert word in caught.value.message


def test_floats_need_a_known_range(graphs):
    with pytest.raises(InvalidProcess, match="linear_scale_range"):
        process(dtype="float32")
    scale = {"x": {"from_parameter": "x"}, "inputMin": 0, "inputMax": 0.3, "outputMax": 255}
    nodes = {"s": {"process_id": "linear_scale_range", "arguments": scale, "result": True}}
    graph = {"load": graphs.load(), "s": graphs.result("apply", process={"process_graph": nodes})}
    from cutline.process import parse_graph

    colored = color_graph(parse_graph(graph), FORMULA)
    compiled = compile_graph(lower(colored).graph, RGB, dict.fromkeys(RGB, "float32"))
    assert compiled.value_range == (0.0, 255.0)
    assert compiled(np.full((3, 1, 1), 0.3))[0, 0, 0] == pytest.approx(255.0, rel=1e-3)


def test_three_bands_are_needed():
    with pytest.raises(InvalidProcess, match="not 2 bands"):
        process(bands=("red", "green"))
