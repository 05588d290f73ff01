"""Processes on data cubes: choosing, computing, reducing, combining and naming bands."""

from __future__ import annotations

from typing import Any

from cutline.errors import InvalidProcess
from cutline.process import color, operations
from cutline.process.cube import (
    BAND_AXIS,
    MAX_ELEMENTS,
    TIME_AXIS,
    Context,
    Cube,
    Elements,
    Series,
    as_cube,
    as_operand,
)
from cutline.process.operations import OPERATIONS
from cutline.process.program import Operand, Value
from cutline.process.signature import Process, common_dtype

Arguments = dict[str, Any]


def _data(arguments: Arguments, pointer: str, name: str = "data") -> Cube:
    return as_cube(arguments[name], name, f"{pointer}/arguments/{name}")


def _axis(arguments: Arguments, pointer: str, name: str = "dimension") -> str:
    """ "bands" or "t"."""
    axis = arguments[name]
    if isinstance(axis, str):
        if axis in BAND_AXIS:
            return "bands"
        if axis in TIME_AXIS:
            return "t"
    raise InvalidProcess(
        f"The dimension is 'bands' or 't', not {axis!r}: pixels are never mixed.", pointer=f"{pointer}/arguments/{name}"
    )


def _bands(cube: Cube, process: str, pointer: str) -> Cube:
    if not cube.banded:
        raise InvalidProcess(f"{process} needs bands; they are reduced to one already.", pointer=pointer)
    return cube


def _cube(names: tuple[str, ...], values: tuple[Operand, ...], pointer: str) -> Cube:
    """A cube with bands. InvalidProcess where two have one name."""
    twice = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if twice is not None:
        raise InvalidProcess(f"The band {twice!r} is there twice.", pointer=pointer)
    if not 1 <= len(names) <= MAX_ELEMENTS:
        raise InvalidProcess(f"A data cube has 1 to {MAX_ELEMENTS} bands.", pointer=pointer)
    return Cube(names, values)


def _given(items: Any) -> bool:
    """Whether there is anything in a list, as the compiler resolved it."""
    return bool(items.values or items.labels) if isinstance(items, Elements) else bool(items)


def filter_bands(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube = _bands(_data(arguments, pointer), "filter_bands", pointer)
    if _given(arguments["wavelengths"]):
        raise InvalidProcess("filter_bands goes by names, not wavelengths.", pointer=f"{pointer}/arguments/wavelengths")
    wanted = arguments["bands"]
    names = wanted.labels if isinstance(wanted, Elements) else None
    if not names:
        raise InvalidProcess("filter_bands needs the names of bands.", pointer=f"{pointer}/arguments/bands")
    at = f"{pointer}/arguments/bands"
    positions = [context.band(name, cube.names, "filter_bands", f"{at}/{i}") for i, name in enumerate(names)]
    return _cube(tuple(cube.names[p] for p in positions), tuple(cube.values[p] for p in positions), at)


def ndvi(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube = _bands(_data(arguments, pointer), "ndvi", pointer)
    nir, red = (
        cube.values[context.band(arguments[name], cube.names, "ndvi", f"{pointer}/arguments/{name}")]
        for name in ("nir", "red")
    )
    value = context.program.operation(OPERATIONS["normalized_difference"], (nir, red))
    target = arguments["target_band"]
    if target is None:
        return Cube(("ndvi",), (value,), banded=False)
    if not isinstance(target, str):
        raise InvalidProcess("The target band has a name.", pointer=f"{pointer}/arguments/target_band")
    return _cube((*cube.names, target), (*cube.values, value), f"{pointer}/arguments/target_band")


def reduce_dimension(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube = _data(arguments, pointer)
    reducer, given, at = arguments["reducer"], arguments["context"], f"{pointer}/arguments/reducer"
    if _axis(arguments, pointer) == "bands":
        _bands(cube, "reduce_dimension", pointer)
        result = reducer(data=Elements(cube.values, cube.names), context=given)
        return Cube((reducer.name,), (as_operand(result, "What the reducer gives", at),), banded=False)
    if not cube.timed:
        raise InvalidProcess("There is no time to reduce here; it is reduced already.", pointer=pointer)
    values = [as_operand(reducer(data=Series(v), context=given), "What the reducer gives", at) for v in cube.values]
    return Cube(cube.names, tuple(values), cube.banded)


def apply(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube, at = _data(arguments, pointer), f"{pointer}/arguments/process"
    process, given = arguments["process"], arguments["context"]
    values = [as_operand(process(x=value, context=given), "What the process gives", at) for value in cube.values]
    return Cube(cube.names, tuple(values), cube.banded)


def apply_dimension(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube, at = _bands(_data(arguments, pointer), "apply_dimension", pointer), f"{pointer}/arguments/process"
    if _axis(arguments, pointer) == "t":
        raise InvalidProcess("apply_dimension over t gives no single image; use reduce_dimension.", pointer=pointer)
    if arguments["target_dimension"] not in (None, *BAND_AXIS):
        raise InvalidProcess("Bands stay bands here.", pointer=f"{pointer}/arguments/target_dimension")
    result = arguments["process"](data=Elements(cube.values, cube.names), context=arguments["context"])
    if not isinstance(result, Elements):
        raise InvalidProcess("What the process gives is an array; reduce_dimension takes a number.", pointer=at)
    same = len(result.values) == len(cube.values)
    names = cube.names if same else result.labels or tuple(str(i) for i in range(len(result.values)))
    return _cube(names, result.values, at)


def mask(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube, masks = _data(arguments, pointer), _data(arguments, pointer, "mask")
    replacement = as_operand(arguments["replacement"], "The replacement", f"{pointer}/arguments/replacement")
    if masks.banded and (not cube.banded or masks.names != cube.names):
        raise InvalidProcess(
            f"A mask has the bands of the data ({', '.join(cube.names)}) or no band dimension; this one has "
            f"{', '.join(masks.names)}. reduce_dimension makes one of them.",
            pointer=f"{pointer}/arguments/mask",
        )
    by_band = masks.values if masks.banded else masks.values * len(cube.values)
    values = []
    for value, chosen in zip(cube.values, by_band, strict=True):
        dtype, kept = (value.dtype, value.value_range) if isinstance(value, Value) else ("float32", None)
        values.append(
            context.program.call(
                operations.masked,
                (value, chosen, replacement),
                dtype=dtype,
                value_range=kept if arguments["replacement"] is None else None,
            )
        )
    return Cube(cube.names, tuple(values), cube.banded)


def merge_cubes(context: Context, arguments: Arguments, pointer: str) -> Cube:
    one, two = _data(arguments, pointer, "cube1"), _data(arguments, pointer, "cube2")
    resolver, given = arguments["overlap_resolver"], arguments["context"]

    def resolved(x: Operand, y: Operand) -> Operand:
        if resolver is None:
            raise InvalidProcess(
                "The cubes overlap: give merge_cubes an overlap_resolver, or their bands different names "
                "(add_dimension, rename_labels).",
                pointer=f"{pointer}/arguments",
            )
        return as_operand(resolver(x=x, y=y, context=given), "What the resolver gives", f"{pointer}/arguments")

    if not (one.banded and two.banded):
        # A cube without the band axis stands beside every band of the other.
        names = one.names if one.banded or not two.banded else two.names
        firsts, seconds = (c.values * (len(names) // len(c.values)) if not c.banded else c.values for c in (one, two))
        return Cube(names, tuple(map(resolved, firsts, seconds)), one.banded or two.banded)
    merged = dict(zip(one.names, one.values, strict=True))
    for name, value in zip(two.names, two.values, strict=True):
        merged[name] = resolved(merged[name], value) if name in merged else value
    return _cube(tuple(merged), tuple(merged.values()), pointer)


def add_dimension(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube, label = _data(arguments, pointer), arguments["label"]
    if arguments["type"] != "bands" or arguments["name"] not in tuple(BAND_AXIS):
        raise InvalidProcess("Only a dimension 'bands' of type 'bands' can be added.", pointer=f"{pointer}/arguments")
    if cube.banded:
        raise InvalidProcess("There are bands already.", pointer=f"{pointer}/arguments/name")
    if isinstance(label, bool) or not isinstance(label, str | int | float):
        raise InvalidProcess("The label is the name of the band.", pointer=f"{pointer}/arguments/label")
    return Cube((str(label),), cube.values)


def drop_dimension(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube = _data(arguments, pointer)
    if _axis(arguments, pointer, "name") != "bands" or not cube.banded or len(cube.values) > 1:
        raise InvalidProcess("Only a band dimension with one band can be dropped.", pointer=f"{pointer}/arguments/name")
    return Cube(cube.names, cube.values, banded=False)


def rename_labels(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube = _bands(_data(arguments, pointer), "rename_labels", pointer)
    if _axis(arguments, pointer) != "bands":
        raise InvalidProcess("Only bands have names to change.", pointer=f"{pointer}/arguments/dimension")
    target, source = (_texts(arguments[name], f"{pointer}/arguments/{name}") for name in ("target", "source"))
    if (source and len(source) != len(target)) or (not source and len(target) > len(cube.names)):
        raise InvalidProcess("There is one new name for each old one.", pointer=f"{pointer}/arguments/target")
    at = f"{pointer}/arguments/source"
    old = [context.band(name, cube.names, "rename_labels", at) for name in source] or range(len(target))
    names = list(cube.names)
    for position, name in zip(old, target, strict=True):
        names[position] = name
    return _cube(tuple(names), cube.values, f"{pointer}/arguments/target")


def _texts(value: Any, pointer: str) -> tuple[str, ...]:
    """A list of names, as the compiler resolved it."""
    if isinstance(value, Elements) and (value.labels is not None or not value.values):
        return value.labels or ()
    raise InvalidProcess("Here belongs a list of names.", pointer=pointer)


def color_formula(context: Context, arguments: Arguments, pointer: str) -> Cube:
    cube, at = _bands(_data(arguments, pointer), "color_formula", pointer), f"{pointer}/arguments"
    formula = color.check_formula(arguments["formula"], f"{at}/formula")
    if len(cube.values) not in {3, 4}:
        raise InvalidProcess(
            f"Colour correction needs red, green and blue (and perhaps alpha), not {len(cube.values)} bands: choose "
            "them with filter_bands.",
            pointer=f"{at}/data",
        )
    rgb = cube.values[:3]
    dtype = common_dtype([value.dtype for value in rgb if isinstance(value, Value)])
    full = _full_brightness(rgb, dtype, f"{at}/data")
    options = {"formula": formula, "full": full}
    colors = context.program.call(color.correct, rgb, dtype=dtype, options=options)
    values = tuple(
        context.program.call(color.component, (colors,), dtype=dtype, options={"position": i}, value_range=(0.0, full))
        for i in range(3)
    )
    return Cube(cube.names, values + cube.values[3:])


def _full_brightness(rgb: tuple[Operand, ...], dtype: str, pointer: str) -> float:
    """255 for uint8, 65535 for uint16; for floats what linear_scale_range or clip made of them."""
    if dtype in {"uint8", "uint16"}:
        return 255.0 if dtype == "uint8" else 65535.0
    ranges = {value.value_range for value in rgb if isinstance(value, Value)}
    if len(ranges) == 1 and (known := ranges.pop()) and known[0] == 0 and known[1] > 0:
        return known[1]
    raise InvalidProcess(
        f"Colour correction needs uint8 or uint16, not {dtype}: scale with linear_scale_range, to 0 … 255.",
        pointer=pointer,
    )


CUBES: dict[str, Process] = {
    "filter_bands": Process("data bands=[] wavelengths=[]", "Chooses and orders bands by name", filter_bands, "same"),
    "ndvi": Process(
        'data nir="nir" red="red" target_band=null',
        "(nir - red) / (nir + red), alone or as one more band",
        ndvi,
        value_range=(-1.0, 1.0),
    ),
    "reduce_dimension": Process(
        "data reducer dimension context=null", "Makes one value of the bands, or of all times", reduce_dimension
    ),
    "apply": Process("data process context=null", "Computes every value by itself", apply),
    "apply_dimension": Process(
        "data process dimension target_dimension=null context=null", "Computes bands from the bands", apply_dimension
    ),
    "mask": Process("data mask replacement=null", "Replaces values where a mask is not zero", mask, "same"),
    "merge_cubes": Process(
        "cube1 cube2 overlap_resolver=null context=null", "Bands of two cubes side by side", merge_cubes, "same"
    ),
    "add_dimension": Process(
        'data name label type="other"', "Gives a cube without bands one, by name", add_dimension, "same"
    ),
    "drop_dimension": Process("data name", "Drops the band dimension of a single band", drop_dimension, "same"),
    "rename_labels": Process("data dimension target source=[]", "Renames bands", rename_labels, "same"),
    "color_formula": Process(
        "data formula", "Colour correction of red, green and blue, by color-operations", color_formula, "same"
    ),
}
"""Process -> implementation, called with the context, the arguments and the pointer to the node."""
