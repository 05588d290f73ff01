"""Expressions against numpy, and against people who try more than arithmetic."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.errors import InvalidProcess
from cutline.process import compile_graph, expression_graph, lower

VALUES = np.array([np.nan, -2.0, -0.5, 0.0, 0.25, 1.0, 3.0])
NIR, RED = (axis.reshape(1, -1) for axis in np.meshgrid(VALUES, VALUES))


def evaluated(text: str) -> np.ndarray:
    process = compile_graph(lower(expression_graph(text)).graph, ("nir", "red"), {"nir": "float64", "red": "float64"})
    bands = {"nir": NIR, "red": RED}
    return process(np.stack([bands[name] for name in process.inputs]))[0]


def missing(*operands):
    return np.logical_or.reduce([np.isnan(operand) for operand in np.broadcast_arrays(*operands)])


def truth(outcome, *operands):
    return np.where(missing(*operands), np.nan, outcome)


def refused(text: str) -> InvalidProcess:
    with pytest.raises(InvalidProcess) as caught:
        expression_graph(text)
    return caught.value


CASES = {
    "(nir-red)/(nir+red)": (NIR - RED) / np.where(NIR + RED == 0, np.nan, NIR + RED),
    "-nir**2": -(NIR**2),
    "+nir - -red": NIR + RED,
    "2**-nir": 2.0**-NIR,
    "nir % 2": np.mod(NIR, 2),
    "nir > red": truth(NIR > RED, NIR, RED),
    "0 <= nir < red": np.where(NIR < 0, 0, truth(NIR < RED, NIR, RED)),
    "nir != 1": truth(NIR != 1, NIR),
    "not nir > 0": truth(NIR <= 0, NIR),
    "nir > 0 and red > 0": np.where((NIR <= 0) | (RED <= 0), 0, truth(1, NIR, RED)),
    "nir > 0 or red > 0": np.where((NIR > 0) | (RED > 0), 1, truth(0, NIR, RED)),
    "where(nir > 0, red, -1)": np.where(np.isnan(NIR), np.nan, np.where(NIR > 0, RED, -1)),
    "min(nir, red, 1)": np.minimum(np.minimum(NIR, RED), 1),
    "max(nir, red)": np.maximum(NIR, RED),
    "abs(nir) + sqrt(red * red)": np.abs(NIR) + np.abs(RED),
    "clip(nir, 0, red * 0 + 1)": np.where(np.isnan(RED), np.nan, np.clip(NIR, 0, 1)),
    "log10(10 ** nir) + log2(2 ** nir) + ln(exp(nir))": 3 * NIR,
    "b1 + b2": NIR + RED,
    "floor(nir) + ceil(nir)": np.floor(NIR) + np.ceil(NIR),
    "1e-3 * nir": 1e-3 * NIR,
}


@pytest.mark.parametrize("text", CASES)
def test_against_numpy(text):
    found = evaluated(text)
    expected = CASES[text]
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-12)
    assert not np.isfinite(found[~finite]).any()


LEAVES = st.one_of(
    st.sampled_from(["nir", "red"]), st.floats(-8, 8, allow_subnormal=False).map(lambda number: repr(abs(number)))
)


def _grow(children):
    pair = st.tuples(children, children)
    return st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "/", "**"]), pair).map(lambda t: f"({t[1][0]} {t[0]} {t[1][1]})"),
        children.map(lambda child: f"(-{child})"),
        st.tuples(st.sampled_from(["abs", "exp", "sqrt"]), children).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), pair).map(lambda t: f"{t[0]}({t[1][0]}, {t[1][1]})"),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(LEAVES, _grow, max_leaves=12))
def test_random_expressions_against_numpy(text):
    """The same text, read by Python's grammar, on numpy."""
    numpy = {"abs": np.abs, "exp": np.exp, "sqrt": np.sqrt, "min": np.minimum, "max": np.maximum}

    tree = ast.parse(text, mode="eval")

    def oracle(node):  # noqa: PLR0911 - one return for each kind of node
        match node:
            case ast.Expression(body=body):
                return oracle(body)
            case ast.Name(id=name):
                return {"nir": NIR, "red": RED}[name]
            case ast.Constant(value=number):
                return np.float64(number)
            case ast.UnaryOp(operand=operand):
                return -oracle(operand)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return numpy[name](*map(oracle, arguments))
            case ast.BinOp(left=left, op=operator, right=right):
                x, y = oracle(left), oracle(right)
                if isinstance(operator, ast.Pow):
                    # IEEE 754 lets 1 ** NaN be 1; no data is no data.
                    return np.where(np.isnan(x) | np.isnan(y), np.nan, np.power(x, y))
                functions = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}
                return functions[type(operator)](x, y)
        raise AssertionError(node)

    if "nir" not in text and "red" not in text:
        assert "no band" in refused(text).message
        return
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(oracle(tree), NIR.shape)
    np.testing.assert_allclose(evaluated(text), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("nir + red.real", 7),
        ("__import__('os').system('ls')", 1),
        ("(lambda: 1)() + nir", 1),
        ("nir[0]", 1),
        ("nir if red else 1", 1),
        ("[nir for nir in red]", 1),
        ("'nir' + red", 1),
        ("nir + True", 7),
        ("nir + 1j", 7),
        ("nir & red", 1),
        ("nir in red", 1),
        ("nir +", 6),
        ("sqrt(x=nir)", 1),
        ("sqrt(*nir)", 6),
        ("nir + open(red)", 7),
        ("nir + sqrrt(red)", 7),
        ("sqrt(nir, red)", 1),
        ("where(nir)", 1),
        ("max(nir)", 1),
        ("nir := red", 5),
        ("f'{nir}'", 1),
    ],
)
def test_refusals_name_the_column(text, column):
    error = refused(text)
    assert f"Column {column}:" in error.message
    assert "functions abs" in error.message
    assert error.pointer == "/process"


def test_a_function_that_was_meant():
    assert "did you mean sqrt" in refused("sqrrt(nir)").message


@pytest.mark.parametrize("text", ["", "  ", "1 + 1", "nir; red", "nir\nred", "\0", "nir" * 1000, None, 7])
def test_what_is_no_expression(text):
    assert refused(text).pointer == "/process"


@pytest.mark.parametrize("text", ["(" * 900 + "nir" + ")" * 900, "-" * 1900 + "nir", "+".join(["nir"] * 400)])
def test_depth(text):
    refused(text)


def test_huge_numbers_take_no_time():
    assert np.isinf(evaluated("9**9**9 + nir")[0, 1])
    assert "too large" in refused("nir + " + "9" * 400).message
    assert "too large" in refused("nir + 1e999").message


def test_the_band_has_the_name_of_the_expression():
    process = compile_graph(lower(expression_graph(" nir /  red ")).graph, ("nir", "red"), {"nir": "u1", "red": "u1"})
    assert process.outputs == ("nir / red",)
