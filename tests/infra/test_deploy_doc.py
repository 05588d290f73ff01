"""docs/DEPLOY.md says what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cutline import estimate
from infra.settings import PREFIX, Deployment, defaults, deployment

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "DEPLOY.md").read_text()
SECONDS, GIGABYTES = 6, 3


@pytest.mark.parametrize(("tiles", "digits"), [(1, 4), (64, 2), (6084, 2)])
def test_costs_are_those_of_the_estimate(tiles: int, digits: int) -> None:
    prices = estimate.Prices()
    lambdas = tiles * SECONDS * GIGABYTES * prices.lambda_gb_second
    others = tiles * (
        estimate._PER_TILE_TRANSITIONS * prices.step_functions_transition
        + estimate._PER_TILE_PUTS * prices.s3_put
        + estimate._PER_TILE_GETS * prices.s3_get
        + estimate._PER_TILE_WRITES * prices.dynamodb_write
    )
    row = " | ".join(f"${cost:.{digits}f}" for cost in (lambdas, others, lambdas + others))
    assert f"| {tiles:,} | {row} |" in DOCUMENT


def test_every_setting_is_told() -> None:
    table = DOCUMENT.split("## Settings")[1].split("##")[0]
    told = {name for row in re.findall(r"^\| ([a-z_, ]+) \|", table, re.MULTILINE) for name in row.split(", ")}
    assert told - {"setting"} == set(Deployment.model_fields)
    assert {f"{PREFIX}{name}" for name in Deployment.model_fields} <= set(defaults())


def test_settings_come_from_the_context_and_the_command_line() -> None:
    given = {
        **defaults(), f"{PREFIX}source_hosts": '["s3://pictures/2025/", "s3://others", "data.example.org"]',
        f"{PREFIX}limits": json.dumps({"aoi_vertices": 10}), f"{PREFIX}render_concurrency": "20",
    }  # fmt: skip
    settings = deployment(given.get)
    assert settings.source_buckets == ("pictures/2025/*", "others/*")
    assert (settings.limits.aoi_vertices, settings.render_concurrency) == (10, 20)
    with pytest.raises(ValueError, match="runtime"):
        deployment({**given, f"{PREFIX}runtime": "python3.11"}.get)
