"""A compiled process: a list of steps on arrays. Equal steps are one step, and an array is freed after its last use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cutline.errors import InvalidProcess
from cutline.process.signature import Array, Process, ValueRange, number_dtype

MAX_STEPS = 20_000


@dataclass(frozen=True, eq=False)
class Value:
    """What a step gives for each pixel. Its identity is its equality: ``Program`` makes no two alike."""

    index: int
    dtype: str
    """The natural dtype, by the rule in ``signature``; computing happens in the float type of the stack"""
    series: bool = False
    """Still has the time axis, as its first"""
    value_range: ValueRange | None = None
    band: str | None = None
    """The name of the input band this is, untouched"""


Operand = Value | float
"""A value, or the same number everywhere; NaN is null"""


@dataclass(frozen=True)
class Step:
    """One call: ``function(*arguments, **options)``; an int is the index of an earlier step, a float is a number."""

    function: Callable[..., Any]
    arguments: tuple[int | float, ...]
    options: tuple[tuple[str, Any], ...] = ()
    frees: tuple[int, ...] = ()


@dataclass
class Program:
    """Collects steps while a graph is compiled."""

    values: list[Value] = field(default_factory=list)
    _steps: list[Step | str] = field(default_factory=list)
    _known: dict[Any, Value] = field(default_factory=dict)

    def band(self, name: str, dtype: str, series: bool) -> Value:
        """The input band ``name``."""
        return self._value((name,), name, dtype=dtype, series=series, band=name)

    def call(
        self,
        function: Callable[..., Any],
        operands: Sequence[Operand],
        *,
        dtype: str,
        series: bool | None = None,
        value_range: ValueRange | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Operand:
        """The value of ``function`` on ``operands``; a number at once where all of these are numbers."""
        given = tuple(sorted((options or {}).items()))
        numbers = [operand for operand in operands if not isinstance(operand, Value)]
        if len(numbers) == len(operands):
            return constant(function, numbers, dict(given))
        arguments = tuple(operand.index if isinstance(operand, Value) else float(operand) for operand in operands)
        if series is None:
            series = any(operand.series for operand in operands if isinstance(operand, Value))
        step = Step(function, arguments, given)
        # repr tells 0.0 from -0.0 and NaN equals itself, which tuples of floats do not do.
        key = (function, repr(arguments), repr(given))
        return self._value(key, step, dtype=dtype, series=series, value_range=value_range)

    def operation(
        self, process: Process, operands: Sequence[Operand], options: Mapping[str, Any] | None = None
    ) -> Operand:
        """The value of a row of the table on ``operands``, with its dtype rule."""
        assert process.compute is not None  # noqa: S101
        inputs = [operand.dtype for operand in operands if isinstance(operand, Value)]
        dtype = "uint8" if process.dtype == "truth" else number_dtype(inputs)
        names = [name for name in process.defaults if name not in process.options]
        value_range = self._range(process, dict(zip(names, operands, strict=True)))
        return self.call(process.compute, operands, dtype=dtype, value_range=value_range, options=options)

    @staticmethod
    def _range(process: Process, operands: Mapping[str, Operand]) -> ValueRange | None:
        if process.value_range is None:
            return None
        low, high = (operands[end] if isinstance(end, str) else end for end in process.value_range)
        if isinstance(low, Value) or isinstance(high, Value):
            return None
        return min(low, high), max(low, high)

    def _value(self, key: Any, step: Step | str, **facts: Any) -> Value:
        value = self._known.get(key)
        if value is None:
            if len(self._steps) >= MAX_STEPS:
                raise InvalidProcess(f"The process has more than {MAX_STEPS} steps.", pointer="/process")
            value = self._known[key] = Value(len(self.values), **facts)
            self.values.append(value)
            self._steps.append(step)
        return value

    def finish(self, outputs: Sequence[Operand]) -> tuple[tuple[str, ...], tuple[Step, ...], tuple[int | float, ...]]:
        """(band names, steps, where the outputs are), of what the outputs need only.

        Slots 0 … n-1 are the bands, in the order of the imagery; step i fills slot n + i.
        """
        needed: set[int] = set()
        pending = [output.index for output in outputs if isinstance(output, Value)]
        while pending:
            index = pending.pop()
            if index not in needed:
                needed.add(index)
                step = self._steps[index]
                pending.extend(() if isinstance(step, str) else (a for a in step.arguments if isinstance(a, int)))
        order = sorted(needed)  # arguments are made before what uses them
        names = [(index, step) for index in order if isinstance(step := self._steps[index], str)]
        calls = [(index, step) for index in order if isinstance(step := self._steps[index], Step)]
        slots = {index: slot for slot, (index, _) in enumerate([*names, *calls])}
        ends = tuple(slots[output.index] if isinstance(output, Value) else output for output in outputs)

        steps: list[Step] = []
        kept = set(ends)
        for _, step in reversed(calls):
            arguments = tuple(slots[a] if isinstance(a, int) else a for a in step.arguments)
            frees = tuple(sorted({a for a in arguments if isinstance(a, int) and a not in kept}))
            kept.update(frees)
            steps.append(Step(step.function, arguments, step.options, frees))
        return tuple(name for _, name in names), tuple(reversed(steps)), ends


def constant(function: Callable[..., Any], numbers: Sequence[float], options: Mapping[str, Any]) -> float:
    """``function`` on numbers. In numpy's float64, where 9**9**9 is inf at once; Python's integers would go on."""
    with np.errstate(all="ignore"):
        return float(function(*(np.float64(number) for number in numbers), **options))


def run(steps: Sequence[Step], ends: Sequence[int | float], bands: Sequence[Array]) -> list[Array | float]:
    """The arrays (or numbers) at ``ends``, from the input bands."""
    slots: list[Any] = list(bands)
    with np.errstate(all="ignore"):
        for step in steps:
            arguments = (slots[a] if isinstance(a, int) else a for a in step.arguments)
            slots.append(step.function(*arguments, **dict(step.options)))
            for slot in step.frees:
                slots[slot] = None
    return [slots[end] if isinstance(end, int) else end for end in ends]
