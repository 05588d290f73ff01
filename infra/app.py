"""Makes the CloudFormation template: `make synth`, or `cdk deploy`, which runs this too."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # not infra/, whose functions.py is not the package functions

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from infra.settings import defaults
from infra.stack import CutlineStack

app = cdk.App(context=defaults())
CutlineStack(app, "Cutline")
cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
