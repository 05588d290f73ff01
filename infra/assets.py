"""What is uploaded: the layers and the code, as `make layers` built them.

A template can be made without them: then a note stands in for each, and the stack carries an error, with which
`cdk deploy` stops and a synthesis does not.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Annotations
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.settings import ROOT, Deployment

BUILT = ROOT / "build" / "lambda"
UNBUILT = Path(__file__).parent / "unbuilt"
LAYERS = tuple(sorted(lock.parent.name for lock in (ROOT / "layers").glob("*/requirements.txt")))


class Assets(Construct):
    """The layers by name, and the code of all functions."""

    def __init__(self, scope: Construct, settings: Deployment, built: Path) -> None:
        super().__init__(scope, "Assets")
        self._built = built / f"{settings.runtime}-{settings.architecture}"
        self.runtime = lambda_.Runtime(settings.runtime, lambda_.RuntimeFamily.PYTHON)
        self.architecture = {
            "x86_64": lambda_.Architecture.X86_64,
            "arm64": lambda_.Architecture.ARM_64,
        }[settings.architecture]
        self.code = self._code("code")
        self.layers = {
            name: lambda_.LayerVersion(
                self,
                name,
                code=self._code(name),
                compatible_runtimes=[self.runtime],
                compatible_architectures=[self.architecture],
                description=f"Locked third-party packages: layers/{name}/requirements.txt",
            )
            for name in LAYERS
        }

    def _code(self, name: str) -> lambda_.Code:
        folder = self._built / name
        if not folder.is_dir():
            Annotations.of(self).add_error(f"{name} is not built for this runtime and architecture: run `make layers`")
            folder = UNBUILT
        return lambda_.Code.from_asset(str(folder))
