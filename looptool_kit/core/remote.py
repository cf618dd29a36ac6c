"""Files of an object store, as `s3://bucket/key`.

They are copied here to be read, and sent there once they are written. Pyarrow does it. Credentials and the
store's address are those of AWS's own tools: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and
AWS_ENDPOINT_URL for another store than Amazon's. A copy takes room in the folder for temporary files
(TMPDIR), and no memory. An object appears whole or not at all.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from looptool_kit.core.errors import RunError

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)")
"""A path has lost one of the two slashes of its URL. Two letters at least: `C:/data` is a disk."""


def url_of(path: Path) -> str:
    """Return the URL that a path stands for.

    Empty for a path of this machine.

    Raises:
        ValueError: It is a URL of another kind than `s3://`.
    """
    found = _URL.fullmatch(path.as_posix())
    if found is None:
        return ""
    if found[1] != "s3":
        raise ValueError(
            f"{found[1]}://{found[2]}: of object stores s3:// is read and written. Other stores that speak"
            " S3 are reached with AWS_ENDPOINT_URL; copy anything else to this machine first."
        )
    return f"s3://{found[2].rstrip('/')}"


def exists(url: str) -> bool:
    """Tell whether an object or a folder of objects has this URL."""
    from pyarrow.fs import FileType

    with _explained(url, "read"):
        found: bool = _store().get_file_info(_key(url)).type != FileType.NotFound
        return found


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """The path itself, or a copy of what it names.

    A URL may name an object or a folder of them. The copy has the same name, and is removed afterwards.
    Errors name the URL and not the copy.

    Raises:
        FileNotFoundError: There is no such object.
        RunError: The store cannot be reached, or refuses.
    """
    if not (url := url_of(path)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="looptool-") as folder, _named(folder, url):
        copy = Path(folder) / path.name
        with _explained(url, "read"):
            _fetch(_key(url), copy, url)
        yield copy


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """The path itself, or one here.

    What lies beside that in the end is sent to the store. Nothing is sent where the work fails.

    Raises:
        RunError: The store cannot be reached, or refuses.
    """
    if not (url := url_of(path)):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="looptool-") as folder, _named(folder, url):
        yield Path(folder) / path.name
        with _explained(url, "written"):
            _send(Path(folder), _key(url).rpartition("/")[0])


def _fetch(key: str, copy: Path, url: str) -> None:
    from pyarrow.fs import FileSelector, FileType, LocalFileSystem, copy_files

    store = _store()
    info = store.get_file_info(key)
    if info.type == FileType.NotFound:
        raise FileNotFoundError(f"{url} does not exist")
    files = [info] if info.is_file else store.get_file_info(FileSelector(key, recursive=True))
    for file in (f for f in files if f.is_file):
        inside = file.path[len(key) :].strip("/")
        if ".." in inside.split("/"):
            raise ValueError(f"s3://{file.path} leads out of the folder that it lies in; it is not read")
        target = copy / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_files(file.path, str(target), source_filesystem=store, destination_filesystem=LocalFileSystem())


def _send(folder: Path, key: str) -> None:
    from pyarrow.fs import LocalFileSystem, copy_files

    store = _store()
    for file in sorted(f for f in folder.glob("**/*") if f.is_file()):
        target = f"{key}/{file.relative_to(folder).as_posix()}"
        copy_files(str(file), target, source_filesystem=LocalFileSystem(), destination_filesystem=store)


def _key(url: str) -> str:
    return url.removeprefix("s3://")


def _store() -> Any:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    # Arrow reads all of AWS's variables but this one.
    address = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return S3FileSystem(
        endpoint_override=address,
        connect_timeout=10,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=3),
    )


@contextmanager
def _explained(url: str, what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(
            f"{url} cannot be {what}: {error}. Say who you are with AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY (or a profile), where the bucket is with AWS_REGION, and which store with"
            " AWS_ENDPOINT_URL, where it is not Amazon's."
        ) from None


@contextmanager
def _named(folder: str, url: str) -> Iterator[None]:
    """Let the errors of what is done with a copy name its URL."""
    try:
        yield
    except (RunError, ValueError, FileNotFoundError) as error:
        if folder not in str(error):
            raise
        kinds = (RunError, FileNotFoundError, ValueError)
        kind = next(k for k in kinds if isinstance(error, k))
        raise kind(str(error).replace(folder, url.rpartition("/")[0])) from error
