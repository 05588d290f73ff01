"""A graph becomes a function of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cutline.errors import InternalError, InvalidProcess
from cutline.models.request import ProcessGraph, ProcessNode
from cutline.process import reducers
from cutline.process.arrays import ARRAYS
from cutline.process.cube import Child, Context, Cube, Elements, Series, as_operand, over_time
from cutline.process.cubes import CUBES
from cutline.process.graph import ROOT, ordered, read_child, result_id, takes_graph
from cutline.process.loading import LOADERS
from cutline.process.operations import OPERATIONS
from cutline.process.program import Operand, Program, Step, Value, run
from cutline.process.reducers import REDUCERS
from cutline.process.registry import find_process
from cutline.process.signature import Array, Process, ValueRange, common_dtype, escape, number_dtype

MAX_VISITS = 20_000
"""Nodes gone through, those of graphs inside graphs each time they are called"""


@dataclass(frozen=True)
class PixelProcess:
    """What a graph does to pixels. Deterministic and pointwise: a pixel depends on no other pixel."""

    inputs: tuple[str, ...]
    """The bands to give, in this order, by the names the imagery has"""
    outputs: tuple[str, ...]
    """Names of the output bands"""
    dtype: str
    """The natural dtype of the output, see ``signature.DtypeRule``"""
    temporal: bool
    """Reduces over time: takes (time, band, row, col)"""
    selection: bool
    """Only chooses and orders bands: stored values can be copied as they are"""
    value_range: ValueRange | None
    """What the output is nominally within, where that is known for all bands"""
    steps: tuple[Step, ...]
    ends: tuple[int | float, ...]

    @property
    def identity(self) -> bool:
        """Returns what it gets."""
        return self.ends == tuple(range(len(self.inputs)))

    def __call__(self, stack: Array) -> Array:
        """(band, row, col) of the outputs, from (band, row, col) or, if ``temporal``, (time, band, row, col).

        float32 or float64, and the result has the same. NaN = no data, in and out; the result may be ±inf (1 / 0).
        """
        axes = 4 if self.temporal else 3
        if stack.ndim != axes or stack.shape[-3] != len(self.inputs):
            raise InternalError(f"A stack of {axes} axes and {len(self.inputs)} bands was expected, not {stack.shape}.")
        result = np.empty((len(self.ends), *stack.shape[-2:]), stack.dtype)
        if self.temporal and not len(stack):
            result.fill(np.nan)
            return result
        bands = [stack[..., position, :, :] for position in range(len(self.inputs))]
        for position, values in enumerate(run(self.steps, self.ends, bands)):
            result[position] = values
        return result


def compile_graph(
    graph: ProcessGraph,
    bands: Sequence[str],
    dtypes: Mapping[str, str],
    aliases: Mapping[str, str] | None = None,
) -> PixelProcess:
    """The function that a lowered graph is, for imagery with these bands.

    ``bands`` are the names that all scenes have, ``dtypes`` theirs; ``aliases`` maps other names to them. Raises
    InvalidProcess, with a pointer, for a band that is missing and for arguments that make no sense together.
    """
    program = Program()
    temporal = any(map(over_time, graph.values()))

    def load(arguments: Mapping[str, Any], at: str) -> Cube:
        if not bands:
            raise InvalidProcess("The scenes have no band in common.", pointer=at)
        cube = Cube(tuple(bands), tuple(program.band(name, dtypes[name], temporal) for name in bands))
        if not arguments.get("bands"):
            return cube
        wanted = {"data": cube, "bands": arguments["bands"], "wavelengths": None}
        return CUBES["filter_bands"].compute(compiler.context, wanted, at)  # type: ignore[misc,no-any-return]

    compiler = _Compiler(Context(program, aliases), load)
    at = f"{ROOT}/{escape(result_id(graph))}"
    cube = compiler.level(graph, ROOT, {})
    if not isinstance(cube, Cube):
        raise InvalidProcess("The result of a process is a data cube.", pointer=at)
    if cube.timed:
        raise InvalidProcess("Time is left in the result; reduce_dimension over t makes one image.", pointer=at)
    inputs, steps, ends = program.finish(cube.values)
    if not inputs:
        raise InvalidProcess("The process uses no band.", pointer=at)
    ranges = {output.value_range if isinstance(output, Value) else None for output in cube.values}
    return PixelProcess(
        inputs=inputs,
        outputs=cube.names,
        dtype=common_dtype([output.dtype if isinstance(output, Value) else "float32" for output in cube.values]),
        temporal=temporal,
        selection=all(isinstance(output, Value) and output.band is not None for output in cube.values),
        value_range=ranges.pop() if len(ranges) == 1 else None,
        steps=steps,
        ends=ends,
    )


class _Compiler:
    """Goes through a graph in order, each node once, and through the graphs inside it."""

    def __init__(self, context: Context, load: Callable[[Mapping[str, Any], str], Cube]) -> None:
        self.context = context
        self.load = load
        self.visits = 0

    def level(self, graph: ProcessGraph, pointer: str, parameters: Mapping[str, Any]) -> Any:
        return self.through(graph, ordered(graph, pointer), pointer, parameters)

    def through(self, graph: ProcessGraph, order: Sequence[str], pointer: str, parameters: Mapping[str, Any]) -> Any:
        """What the nodes of a level give, in ``order``."""
        done: dict[str, Any] = {}
        for name in order:
            if pointer == ROOT:
                self.context = replace(self.context, purpose=graph[name].description)
            done[name] = self.node(graph[name], f"{pointer}/{escape(name)}", done, parameters)
        return done[result_id(graph)]

    def node(self, node: ProcessNode, at: str, done: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
        self.visits += 1
        if self.visits > MAX_VISITS:
            raise InvalidProcess(f"The process has more than {MAX_VISITS} nodes, counting repetitions.", pointer=at)
        name = node.process_id
        process = find_process(name, at)
        bound = process.bind(name, node.arguments, at)
        resolved: dict[str, Any] = {}
        for argument, value in bound.items():
            where = f"{at}/arguments/{escape(argument)}"
            if takes_graph(name, argument, value, where):
                resolved[argument] = _ChildGraph(self, read_child(value, where), f"{where}/process_graph", parameters)
            else:
                resolved[argument] = self.resolve(value, where, done, parameters)
        if name in LOADERS:
            return self.load(resolved, at)
        if name in CUBES or name in ARRAYS:
            assert process.compute is not None  # noqa: S101
            return process.compute(self.context, resolved, at)
        if name in OPERATIONS:
            return self.operation(name, process, resolved, at)
        if name in REDUCERS:
            return self.reduction(name, process, resolved, at)
        raise InternalError(f"The graph has {name}: it was not lowered.", pointer=at)

    def resolve(  # noqa: PLR0911 - one return for each kind of argument
        self, value: Any, at: str, done: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> Any:
        """An argument with its references followed."""
        if isinstance(value, dict):
            if "from_node" in value:
                return done[value["from_node"]]
            if "from_parameter" in value:
                return parameters[value["from_parameter"]]
            return value
        if isinstance(value, list | tuple):
            items = [self.resolve(item, f"{at}/{i}", done, parameters) for i, item in enumerate(value)]
            if items and all(isinstance(item, str) for item in items):
                return Elements((), tuple(items))
            if any(isinstance(item, list | Elements) for item in items):
                return items  # nothing takes arrays of arrays; who gets this says so
            return Elements(tuple(as_operand(item, "An element", f"{at}/{i}") for i, item in enumerate(items)))
        return value

    def operation(self, name: str, process: Process, arguments: dict[str, Any], at: str) -> Operand:
        operands: dict[str, Operand] = {}
        options: dict[str, Any] = {}
        for parameter, value in arguments.items():
            where = f"{at}/arguments/{parameter}"
            if parameter not in process.options:
                operands[parameter] = as_operand(value, f"{parameter} of {name}", where)
            elif _is_option(value, process.defaults[parameter]):
                options[parameter] = value
            else:
                raise InvalidProcess(f"{parameter} of {name} cannot be {value!r}."[:200], pointer=where)
        if name == "round" and abs(options["p"]) > 300:
            raise InvalidProcess("round keeps up to 300 decimals.", pointer=f"{at}/arguments/p")
        if name == "clip" and _swapped(operands["min"], operands["max"]):
            raise InvalidProcess("The minimum is above the maximum.", pointer=f"{at}/arguments/min")
        return self.context.program.operation(process, list(operands.values()), options)

    def reduction(self, name: str, process: Process, arguments: dict[str, Any], at: str) -> Operand:
        data, compute, ignore = arguments["data"], process.compute, arguments.get("ignore_nodata", True)
        if not isinstance(ignore, bool):
            raise InvalidProcess("ignore_nodata is true or false.", pointer=f"{at}/arguments/ignore_nodata")
        if not isinstance(data, Elements | Series) or (isinstance(data, Elements) and not data.values):
            raise InvalidProcess(f"{name} takes an array of numbers.", pointer=f"{at}/arguments/data")
        if name == "count":
            data, compute = self.counted(data, arguments, at)
        values = (data.value,) if isinstance(data, Series) else data.values
        dtypes = [value.dtype for value in values if isinstance(value, Value)]
        dtype = "uint8" if process.dtype == "truth" else number_dtype(dtypes)
        program, kept = self.context.program, process.value_range
        if isinstance(data, Elements):
            options = {"reducer": compute, "ignore": ignore}
            return program.call(reducers.over_arrays, values, dtype=dtype, value_range=kept, options=options)  # type: ignore[arg-type]
        if not isinstance(data.value, Value) or not data.value.series:
            raise InvalidProcess(f"There is no time for {name} to reduce.", pointer=f"{at}/arguments/data")
        assert compute is not None  # noqa: S101
        return program.call(compute, values, dtype=dtype, series=False, value_range=kept, options={"ignore": ignore})  # type: ignore[arg-type]

    def counted(self, data: Elements | Series, arguments: dict[str, Any], at: str) -> tuple[Elements | Series, Any]:
        """What to count, and how."""
        condition, given = arguments["condition"], arguments["context"]
        if condition is None or condition is False:
            return data, reducers.count_valid
        if condition is True:
            return data, reducers.count_all
        where = f"{at}/arguments/condition"

        def meets(x: Operand) -> Operand:
            return as_operand(condition(x=x, context=given), "A condition", where)

        if isinstance(data, Series):
            return Series(meets(data.value)), reducers.count_true
        return Elements(tuple(map(meets, data.values))), reducers.count_true


def _is_option(value: Any, default: Any) -> bool:
    """Whether a fixed value is of its default's kind: a truth value, an integer, or a number where that is null."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and not isinstance(value, bool)
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _swapped(low: Operand, high: Operand) -> bool:
    return isinstance(low, float) and isinstance(high, float) and low > high


class _ChildGraph(Child):
    """A graph among the arguments, with the parameters around it."""

    def __init__(self, compiler: _Compiler, graph: ProcessGraph, pointer: str, outer: Mapping[str, Any]) -> None:
        self.name = graph[result_id(graph)].process_id
        self._order = ordered(graph, pointer)  # once, for however many bands it is called
        self._compiler, self._graph, self._pointer, self._outer = compiler, graph, pointer, outer

    def __call__(self, **parameters: Any) -> Any:
        return self._compiler.through(self._graph, self._order, self._pointer, {**self._outer, **parameters})
