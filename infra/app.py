"""Makes the CloudFormation template: `make synth`, or `cdk deploy`, which runs this too."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

ROOT = Path(__file__).parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # not infra/, whose functions.py is not the package functions

from infra.assets import BUILT  # noqa: E402 (found only now)
from infra.settings import defaults  # noqa: E402
from infra.stack import CutlineStack  # noqa: E402


def app(context: Mapping[str, Any], outdir: Path | None = None, built: Path = BUILT) -> cdk.App:
    """One stack. Its synthesis raises RuntimeError where cdk-nag finds what no reason was given for.

    ``outdir``: where the template goes; None: where CDK_OUTDIR says. ``built``: where `make layers` leaves its work.
    """
    made = cdk.App(context=dict(context), outdir=str(outdir) if outdir else None)
    CutlineStack(made, "Cutline", built=built)
    cdk.Validations.of(made).add_plugins(AwsSolutionsChecks(made))
    return made


if __name__ == "__main__":
    app(defaults()).synth()
