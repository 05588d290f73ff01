"""What no function needs of the wheels is left out: a layer and the code have 250 MiB between them.

Nothing is stripped: what is left of a wheel is as its makers built and tested it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

NEVER_RUN = (
    "**/__pycache__",
    "**/tests",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.h",
    "**/*.c",
    "**/*.a",
    "**/include",
    "bin",
    "numpy/f2py",  # Fortran
    "rasterio/rio",  # the command line
    "rasterio/_example.*",
    "zstandard/_cffi.*",  # for PyPy; 12 MB
    "zstandard/backend_cffi.py",
)
"""Patterns below the folder of packages -> not part of a layer"""

SERVICES = frozenset(
    {"cognito-idp", "dynamodb", "lambda", "logs", "s3", "secretsmanager", "sesv2", "sqs", "sso", "sso-oidc"}
    | {"stepfunctions", "sts"}
)
"""Of AWS: botocore describes 400, in 20 MB. Those that store/ has clients for, and those that credentials come from"""


def slim(packages: Path) -> None:
    """Remove it from a folder of installed packages."""
    for pattern in NEVER_RUN:
        for found in sorted(packages.glob(pattern)):
            _remove(found)
    if (data := packages / "botocore" / "data").is_dir():
        for service in data.iterdir():
            if service.is_dir() and service.name not in SERVICES:
                _remove(service)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)  # its folder may have gone before it
