"""Expressions such as ``(nir - red) / (nir + red)`` become openEO nodes. Parsed with ``ast``, never evaluated.

No data in gives no data out, in min, max and where too (openEO's own min, max and if can choose). Only ``and`` and
``or`` answer where the other operand decides alone: ``false and <no data>`` is false.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

from cutline.errors import InvalidProcess
from cutline.models.request import ProcessGraph, ProcessNode
from cutline.process.signature import suggestion

MAX_LENGTH = 2000
MAX_DEPTH = 100

POINTER = "/process"

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.Mod: "mod",
}

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "neq",
    ast.Lt: "lt",
    ast.LtE: "lte",
    ast.Gt: "gt",
    ast.GtE: "gte",
}

CALLS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "abs": ("absolute", ("x",), {}),
    "sqrt": ("sqrt", ("x",), {}),
    "exp": ("exp", ("p",), {}),
    "ln": ("ln", ("x",), {}),
    "log10": ("log", ("x",), {"base": 10}),
    "log2": ("log", ("x",), {"base": 2}),
    "floor": ("floor", ("x",), {}),
    "ceil": ("ceil", ("x",), {}),
    "sin": ("sin", ("x",), {}),
    "cos": ("cos", ("x",), {}),
    "tan": ("tan", ("x",), {}),
    "tanh": ("tanh", ("x",), {}),
    "arctan": ("arctan", ("x",), {}),
    "clip": ("clip", ("x", "min", "max"), {}),
}
"""Function -> (process, parameters in order, fixed arguments)"""

FOLDS = ("min", "max")
"""Functions of two or more"""

FUNCTIONS = (*CALLS, *FOLDS, "where")

ALLOWED = (
    "Allowed are numbers, bands, + - * / ** %, comparisons, and, or, not, and the functions "
    f"{', '.join(sorted(FUNCTIONS))}."
)


def expression_nodes(text: str, names: Mapping[str, str | float] | None = None) -> ProcessGraph:
    """A graph for the pixels' bands (a parameter ``data``), with the result of ``text``.

    ``names`` replaces names by those of bands, or by numbers. InvalidProcess has the column and what is allowed.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidProcess(f"The expression is empty. {ALLOWED}", pointer=POINTER)
    if len(text) > MAX_LENGTH:
        raise InvalidProcess(f"An expression may have {MAX_LENGTH} characters.", pointer=POINTER)
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        where = f"Column {error.offset or len(text) + 1}: {error.msg}."
        raise InvalidProcess(f"{where} {ALLOWED}", pointer=POINTER) from None
    except (ValueError, RecursionError, MemoryError):
        raise InvalidProcess(f"The expression cannot be read. {ALLOWED}", pointer=POINTER) from None
    builder = _Builder(names or {})
    result = builder.visit(tree.body, 0)
    if not builder.bands:
        raise InvalidProcess(f"The expression uses no band. {ALLOWED}", pointer=POINTER)
    return builder.finish(result)


Argument = float | dict[str, str]
"""A number, or a reference to a node"""


class _Builder:
    def __init__(self, names: Mapping[str, str | float]) -> None:
        self.names = names
        self.nodes: ProcessGraph = {}
        self.bands: dict[str, Argument] = {}

    def finish(self, result: Argument) -> ProcessGraph:
        last = result["from_node"] if isinstance(result, dict) else self.node("constant", x=result)["from_node"]
        self.nodes[last] = self.nodes[last].model_copy(update={"result": True})
        return self.nodes

    def node(self, process: str, **arguments: Any) -> dict[str, str]:
        name = f"{process}{len(self.nodes) + 1}"
        self.nodes[name] = ProcessNode(process_id=process, arguments=arguments)
        return {"from_node": name}

    def visit(self, node: ast.expr, depth: int) -> Argument:  # noqa: PLR0911 - one return for each kind of node
        if depth > MAX_DEPTH:
            raise _refused(node, f"more than {MAX_DEPTH} levels inside each other", "")
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return _number(node, number)
            case ast.Name(id=name):
                return self.band(name)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in BINARY:
                first, second = self.visit(left, depth + 1), self.visit(right, depth + 1)
                process = BINARY[type(operator)]
                keys = ("base", "p") if process == "power" else ("x", "y")
                return self.node(process, **dict(zip(keys, (first, second), strict=True)))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.visit(operand, depth + 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self.visit(operand, depth + 1)
                return self.node("multiply", x=value, y=-1) if isinstance(value, dict) else -value
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.node("not", x=self.visit(operand, depth + 1))
            case ast.BoolOp(op=operator, values=values):
                process = "and" if isinstance(operator, ast.And) else "or"
                return self.chain(process, [self.visit(value, depth + 1) for value in values])
            case ast.Compare(left=left, ops=operators, comparators=others):
                return self.compare(node, left, operators, others, depth)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return self.call(node, name, arguments, depth)
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                raise _refused(node, f"there is no function {name!r}{suggestion(name, FUNCTIONS)[:-1]}")
        raise _refused(node, f"{type(node).__name__} is not allowed")

    def band(self, name: str) -> Argument:
        meaning = self.names.get(name, name)
        if not isinstance(meaning, str):
            return float(meaning)
        if meaning not in self.bands:
            self.bands[meaning] = self.node("array_element", data={"from_parameter": "data"}, label=meaning)
        return self.bands[meaning]

    def chain(self, process: str, values: list[Argument]) -> Argument:
        result = values[0]
        for value in values[1:]:
            result = self.node(process, x=result, y=value)
        return result

    def compare(
        self, node: ast.expr, left: ast.expr, operators: list[ast.cmpop], others: list[ast.expr], depth: int
    ) -> Argument:
        operands = [self.visit(operand, depth + 1) for operand in (left, *others)]
        pairs = []
        for operator, x, y in zip(operators, operands, operands[1:], strict=False):
            if type(operator) not in COMPARISONS:
                raise _refused(node, f"{type(operator).__name__} is not allowed")
            pairs.append(self.node(COMPARISONS[type(operator)], x=x, y=y))
        return self.chain("and", list(pairs))

    def call(self, node: ast.expr, name: str, arguments: list[ast.expr], depth: int) -> Argument:
        values = [self.visit(argument, depth + 1) for argument in arguments]
        if name in FOLDS:
            if len(values) < 2:
                raise _refused(node, f"{name} takes two values or more")
            return self.node(name, data=values, ignore_nodata=False)
        if name == "where":
            if len(values) != 3:
                raise _refused(node, "where takes a condition, a value and another value")
            condition, accept, reject = values
            # Without data the condition is neither true nor false, and neither branch is taken.
            otherwise = self.node("if", value=self.node("not", x=condition), accept=reject)
            return self.node("if", value=condition, accept=accept, reject=otherwise)
        process, parameters, fixed = CALLS[name]
        if len(values) != len(parameters):
            raise _refused(node, f"{name} takes {len(parameters)} value{'s' if len(parameters) > 1 else ''}")
        return self.node(process, **dict(zip(parameters, values, strict=True)), **fixed)


def _number(node: ast.expr, number: float) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise _refused(node, "this number is too large")
    return value


def _refused(node: ast.expr, what: str, allowed: str = ALLOWED) -> InvalidProcess:
    return InvalidProcess(f"Column {node.col_offset + 1}: {what}. {allowed}".rstrip(), pointer=POINTER)
