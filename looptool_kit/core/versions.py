"""Which version of this package and of others it is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version(package: str = "looptool-kit") -> str:
    """The version of an installed package, empty where it is not installed."""
    try:
        return installed(package)
    except PackageNotFoundError:
        return ""
