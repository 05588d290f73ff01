"""Every process on pixels against plain Python on single numbers, with None for no data, as openEO defines it."""

from __future__ import annotations

import math
import statistics
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest

from cutline.errors import InvalidProcess
from cutline.process import parse_graph
from cutline.process.operations import OPERATIONS
from cutline.process.reducers import REDUCERS

NUMBERS = (None, -27.0, -2.5, -1.0, -0.25, 0.0, 0.5, 1.0, 2.0, 3.5, 5.0)
TRUTHS = (None, 0.0, 1.0)


def strict(function):
    """No data in, no data out."""
    return lambda *values, **fixed: None if None in values else function(*values, **fixed)


def real(function):
    """As ``strict``; outside of the domain there is no result."""

    def wrapped(*values):
        try:
            outcome = function(*values)
        except (ValueError, ZeroDivisionError):
            return math.nan
        return math.nan if isinstance(outcome, complex) else outcome

    return strict(wrapped)


def divide(x, y):
    if y:
        return x / y
    return math.nan if x == 0 else math.copysign(math.inf, x)


def ln(x):
    return -math.inf if x == 0 else math.log(x)


def power(x, p):
    return math.inf if x == 0 and p < 0 else x**p


def all_of(x, y):
    return 0.0 if 0.0 in (x, y) else None if None in (x, y) else 1.0


def any_of(x, y):
    return 1.0 if 1.0 in (x, y) else None if None in (x, y) else 0.0


def half_even(x):
    return float(Decimal(x).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def sign(x):
    return (x > 0) - (x < 0)


def artanh(x):
    return math.copysign(math.inf, x) if abs(x) == 1 else math.atanh(x)


UNARY = {
    "absolute": strict(abs),
    "sqrt": real(math.sqrt),
    "exp": strict(math.exp),
    "ln": real(ln),
    "floor": strict(math.floor),
    "ceil": strict(math.ceil),
    "int": strict(math.trunc),
    "round": strict(half_even),
    "sgn": strict(sign),
    "sin": strict(math.sin),
    "cos": strict(math.cos),
    "tan": strict(math.tan),
    "arcsin": real(math.asin),
    "arccos": real(math.acos),
    "arctan": strict(math.atan),
    "sinh": strict(math.sinh),
    "cosh": strict(math.cosh),
    "tanh": strict(math.tanh),
    "arsinh": strict(math.asinh),
    "arcosh": real(math.acosh),
    "artanh": real(artanh),
    "constant": strict(float),
    "is_nodata": lambda x: x is None,
    "is_nan": lambda x: x is None,
    "is_valid": lambda x: x is not None,
}
BINARY = {
    "add": strict(lambda x, y: x + y),
    "subtract": strict(lambda x, y: x - y),
    "multiply": strict(lambda x, y: x * y),
    "divide": strict(divide),
    "mod": strict(lambda x, y: x % y if y else divide(x, 0)),
    "power": real(power),
    "arctan2": strict(math.atan2),
    "normalized_difference": strict(lambda x, y: divide(x - y, x + y)),
    "eq": strict(lambda x, y: x == y),
    "neq": strict(lambda x, y: x != y),
    "gt": strict(lambda x, y: x > y),
    "gte": strict(lambda x, y: x >= y),
    "lt": strict(lambda x, y: x < y),
    "lte": strict(lambda x, y: x <= y),
}
LOGIC = {
    "and": all_of,
    "or": any_of,
    "xor": strict(lambda x, y: x != y),
    "not": strict(lambda x: not x),
    "if": lambda value, accept, reject=None: accept if value else reject,
}
FIXED = {
    "log": [({"base": base}, real(lambda x, base=base: ln(x) / math.log(base))) for base in (2, 10, 3)],
    "round": [
        ({"p": 1}, strict(lambda x: half_even(x * 10) / 10)),
        ({"p": -1}, strict(lambda x: half_even(x / 10) * 10)),
    ],
    "clip": [({"min": -1, "max": 1.5}, strict(lambda x: min(max(x, -1), 1.5)))],
    "linear_scale_range": [
        ({"inputMin": -1, "inputMax": 3}, strict(lambda x: (min(max(x, -1), 3) + 1) / 4)),
        (
            {"inputMin": 0, "inputMax": 2, "outputMin": 255, "outputMax": 0},
            strict(lambda x: 255 - min(max(x, 0), 2) / 2 * 255),
        ),
    ],
    "between": [
        ({"min": -1, "max": 2}, strict(lambda x: -1 <= x <= 2)),
        ({"min": -1, "max": 2, "exclude_max": True}, strict(lambda x: -1 <= x < 2)),
        ({"min": 2, "max": -1}, strict(lambda x: False)),
    ],
    "eq": [({"y": 1, "delta": 0.5}, strict(lambda x: abs(x - 1) <= 0.5))],
    "neq": [({"y": 1, "delta": 0.5}, strict(lambda x: abs(x - 1) > 0.5))],
    "power": [({"p": 2}, strict(lambda x: x * x)), ({"p": 0}, strict(lambda x: 1.0))],
    "if": [({"accept": 3}, lambda x: 3 if x else None)],
}
CONSTANTS = {"pi": math.pi, "e": math.e}


def parameters(process):
    return [name for name, _ in OPERATIONS[process].defaults.items() if name not in OPERATIONS[process].options]


def of_bands(process, graphs, names, **fixed):
    """A graph that puts bands a, b, … into the first parameters of a process."""
    nodes = {
        band: {"process_id": "array_element", "arguments": {"data": {"from_parameter": "data"}, "label": band}}
        for band in names
    }
    given = dict(zip(parameters(process), ({"from_node": band} for band in names), strict=False))
    nodes["only"] = {"process_id": process, "arguments": {**given, **fixed}, "result": True}
    reduced = graphs.result("reduce_dimension", dimension="bands", reducer={"process_graph": nodes})
    return parse_graph({"load": graphs.load(), "reduce": reduced})


def grid(choices, count):
    """All combinations, one array for each operand: (1, combination)."""
    combined = np.meshgrid(*[np.array([np.nan if v is None else v for v in choices])] * count)
    return [array.reshape(1, -1) for array in combined]


def check(process, graphs, evaluate, expected, *, choices=NUMBERS, count=1, **fixed):
    names = "abc"[:count]
    arrays = grid(choices, count)
    found = evaluate(of_bands(process, graphs, names, **fixed), dict(zip(names, arrays, strict=True)))
    for position, outcome in enumerate(found[0, 0]):
        operands = [None if np.isnan(array[0, position]) else float(array[0, position]) for array in arrays]
        wanted = expected(*operands)
        wanted = math.nan if wanted is None else float(wanted)
        assert outcome == pytest.approx(wanted, rel=1e-12, abs=1e-12, nan_ok=True), (process, operands)


def test_every_operation_is_tested():
    assert {*UNARY, *BINARY, *LOGIC, *FIXED, *CONSTANTS} == OPERATIONS.keys()
    assert REDUCTIONS.keys() | {"count"} == REDUCERS.keys()


@pytest.mark.parametrize("process", UNARY)
def test_of_one_number(process, graphs, evaluate):
    check(process, graphs, evaluate, UNARY[process])


@pytest.mark.parametrize("process", BINARY)
def test_of_two_numbers(process, graphs, evaluate):
    check(process, graphs, evaluate, BINARY[process], count=2)


@pytest.mark.parametrize(("process", "count"), [("and", 2), ("or", 2), ("xor", 2), ("not", 1), ("if", 2), ("if", 3)])
def test_of_truths(process, count, graphs, evaluate):
    check(process, graphs, evaluate, LOGIC[process], choices=TRUTHS, count=count)


@pytest.mark.parametrize(
    ("process", "case"), [(process, case) for process in FIXED for case in range(len(FIXED[process]))]
)
def test_with_fixed_arguments(process, case, graphs, evaluate):
    fixed, expected = FIXED[process][case]
    check(process, graphs, evaluate, expected, **fixed)


@pytest.mark.parametrize("process", CONSTANTS)
def test_constants(process, graphs, evaluate):
    nodes = {
        "c": {"process_id": process},
        "r": {
            "process_id": "multiply",
            "arguments": {"x": {"from_parameter": "x"}, "y": {"from_node": "c"}},
            "result": True,
        },
    }
    graph = parse_graph({"load": graphs.load(), "a": graphs.result("apply", process={"process_graph": nodes})})
    assert evaluate(graph, {"a": np.ones((1, 1))})[0, 0, 0] == CONSTANTS[process]


def test_swapped_bounds(graphs, evaluate):
    with pytest.raises(InvalidProcess) as caught:
        evaluate(of_bands("clip", graphs, "a", min=2, max=1), {"a": np.ones((1, 1))})
    assert caught.value.pointer == "/process/reduce/arguments/reducer/process_graph/only/arguments/min"


@pytest.mark.parametrize("value", ["text", [1, 2], {"a": 1}])
def test_operands_are_numbers(value, graphs, evaluate):
    with pytest.raises(InvalidProcess) as caught:
        evaluate(of_bands("add", graphs, "a", y=value), {"a": np.ones((1, 1))})
    assert caught.value.pointer.endswith("/only/arguments/y")


def variance(numbers):
    return statistics.variance(numbers) if len(numbers) > 1 else None


REDUCTIONS = {
    "sum": math.fsum,
    "product": math.prod,
    "mean": statistics.fmean,
    "median": statistics.median,
    "min": min,
    "max": max,
    "first": lambda numbers: numbers[0],
    "last": lambda numbers: numbers[-1],
    "variance": variance,
    "sd": lambda numbers: None if len(numbers) < 2 else statistics.stdev(numbers),
    "any": any,
    "all": all,
}
SERIES = [
    [1.0, 0.0, 3.0, 2.0],
    [9.0, 2.5, None, -2.5],
    [None, 2.0, 3.0, None],
    [None, None, None, 4.0],
    [None, None, None, None],
    [0.0, 0.0, 0.0, 0.0],
    [-1.0, -0.5, None, 1.0],
    [None, 0.0, 0.0, 0.0],
]


def reduced(process, ignore, numbers):
    present = [number for number in numbers if number is not None]
    if ignore:
        return REDUCTIONS[process](present) if present else None
    if process in {"first", "last"}:
        return REDUCTIONS[process](numbers)
    if process == "any" and any(present):
        return True
    if process == "all" and not all(present):
        return False
    return REDUCTIONS[process](present) if len(present) == len(numbers) else None


@pytest.mark.parametrize("ignore", [True, False])
@pytest.mark.parametrize("dimension", ["bands", "t"])
@pytest.mark.parametrize("process", REDUCTIONS)
def test_reductions(process, dimension, ignore, graphs):
    reducer = graphs.reducer(process, ignore_nodata=ignore)
    # Computing something before, be it nothing, keeps the reduction from becoming a mosaic.
    same = {
        "process_graph": {"c": {"process_id": "constant", "arguments": {"x": {"from_parameter": "x"}}, "result": True}}
    }
    graph = parse_graph(
        {
            "load": graphs.load(),
            "same": graphs.node("apply", process=same),
            "reduce": graphs.result("reduce_dimension", "same", dimension=dimension, reducer=reducer),
        }
    )
    table = np.array([[np.nan if number is None else number for number in numbers] for numbers in SERIES])
    columns = table.T[:, np.newaxis]  # (element, row, col)
    if dimension == "bands":
        found = graphs.compiled(graph, list("abcd"))(columns)
    else:
        found = graphs.compiled(graph, ["a"])(columns[:, np.newaxis])
    for outcome, numbers in zip(found[0, 0], SERIES, strict=True):
        wanted = reduced(process, ignore, numbers)
        wanted = math.nan if wanted is None else float(wanted)
        assert outcome == pytest.approx(wanted, rel=1e-12, nan_ok=True), numbers


CONDITION = {
    "process_graph": {"gt": {"process_id": "gt", "arguments": {"x": {"from_parameter": "x"}, "y": 1}, "result": True}}
}


@pytest.mark.parametrize("dimension", ["bands", "t"])
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, lambda numbers: sum(number is not None for number in numbers)),
        (True, len),
        (CONDITION, lambda numbers: sum(number is not None and number > 1 for number in numbers)),
    ],
)
def test_count(condition, expected, dimension, graphs):
    reducer = graphs.reducer("count", condition=condition)
    reduced_node = graphs.result("reduce_dimension", dimension=dimension, reducer=reducer)
    graph = parse_graph({"load": graphs.load(), "reduce": reduced_node})
    table = np.array([[np.nan if number is None else number for number in numbers] for numbers in SERIES], np.float32)
    columns = table.T[:, np.newaxis]
    bands = list("abcd") if dimension == "bands" else ["a"]
    found = graphs.compiled(graph, bands)(columns if dimension == "bands" else columns[:, np.newaxis])
    assert found[0, 0].tolist() == [expected(numbers) for numbers in SERIES]
