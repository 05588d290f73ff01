"""Makes the CloudFormation template: `make synth`, or `cdk deploy`, which runs this too."""

from __future__ import annotations

import sys
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks


def main() -> None:
    """Raises RuntimeError where cdk-nag finds what no reason was given for."""
    from infra.settings import defaults  # noqa: PLC0415 (found only once the path is right)
    from infra.stack import CutlineStack  # noqa: PLC0415

    app = cdk.App(context=defaults())
    CutlineStack(app, "Cutline")
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not infra/, whose functions.py is not the package functions
    main()
