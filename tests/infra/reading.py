"""Questions that tests ask of a template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Resources = Mapping[str, Any]
FOLDERS = sorted(path.parent.name for path in (Path(__file__).parents[2] / "functions").glob("*/handler.py"))
"""Of functions/, one for each; counted here once more, without the CDK"""


def of_type(resources: Resources, kind: str) -> dict[str, Any]:
    """Logical id -> properties of the resources of a type. Fails where there are none: nothing would be checked."""
    found = {name: each.get("Properties", {}) for name, each in resources.items() if each["Type"] == kind}
    assert found, f"the template has no {kind}"
    return found


def functions_of(resources: Resources) -> dict[str, Any]:
    """Folder of functions/ -> properties."""
    return {each["Handler"].split(".")[1]: each for each in of_type(resources, "AWS::Lambda::Function").values()}


def statements_of(resources: Resources, role: str) -> Iterator[dict[str, Any]]:
    """What a role, by its logical id, is allowed and denied."""
    for each in resources.values():
        properties = each.get("Properties", {})
        if each["Type"] == "AWS::IAM::Policy" and {"Ref": role} in properties["Roles"]:
            yield from properties["PolicyDocument"]["Statement"]
    yield from (
        statement
        for policy in resources[role]["Properties"].get("Policies", ())
        for statement in policy["PolicyDocument"]["Statement"]
    )


def listed(value: Any) -> list[Any]:
    """IAM takes one or several."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """A computed value with ``<Name.Attribute>`` for what is known on deployment only."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(text, parts))
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
    raise AssertionError(f"a template of ours has no {value}")
