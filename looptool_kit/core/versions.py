"""Which version of this package and of others it is."""

from __future__ import annotations

import importlib.metadata


def version(package: str = "looptool-kit") -> str:
    """The version of an installed package, empty where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
