"""An exported folder to the model hub: only with a token in the environment, and said before it is sent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

from looptool_kit.policy.adapters import adapter_config

Kind = Literal["dataset", "model"]
TOKEN = "HF_TOKEN"
"""The environment variable that holds the token; one that was stored by a login is not used."""
HUB_SECONDS = 15.0
"""How long the hub may take for an answer before a repository is made."""


class Target(NamedTuple):
    """A repository to push to, as the hub has it now."""

    repo: str
    kind: Kind
    private: bool
    exists: bool
    address: str


def look_up(repo: str, kind: Kind, public: bool) -> Target:
    """Ask the hub what is there, before anything is made or sent.

    Raises:
        ValueError: The name is none of a repository, there is no token or no huggingface_hub, the hub does
            not answer or refuses the token, or the repository is public and `public` was not said.
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repo):
        raise ValueError(f"--push {repo}: write owner/name, the name of a repository on the hub")
    if not os.environ.get(TOKEN):
        raise ValueError(
            f"--push needs a token that may write, in the environment variable {TOKEN}; there is none, so"
            " nothing was written or sent"
        )
    if find_spec("huggingface_hub") is None:
        raise ValueError("--push needs the package huggingface_hub: pip install huggingface_hub")
    from huggingface_hub.errors import RepositoryNotFoundError

    with _explained("nothing was written or sent"):
        api = _api()
        address = f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{repo}"
        try:
            there = api.repo_info(repo, repo_type=kind, timeout=HUB_SECONDS)
        except RepositoryNotFoundError:
            return Target(repo, kind, not public, False, address)
    if not there.private and not public:
        raise ValueError(
            f"{address} exists and is public: say --public to publish there, or name another repository."
            " Nothing was written or sent"
        )
    return Target(repo, kind, bool(there.private), True, address)


def what_goes_where(folder: Path, target: Target) -> list[str]:
    """Return the lines to show before a push.

    The repository, who sees it, and each file with its size.
    """
    sight = "private" if target.private else "PUBLIC: anybody can read it"
    state = "a new commit in the repository that is there" if target.exists else "a new repository"
    lines = [f"to {target.address} ({state}, {sight}):"]
    lines += [f"  {f.relative_to(folder)}  {f.stat().st_size:,} bytes" for f in _files(folder)]
    if (folder / "adapter_config.json").exists():
        base = str(adapter_config(folder).get("base_model_name_or_path"))
        if Path(base).is_absolute():
            lines.append(f"  adapter_config.json names the base model by its place on this machine, {base}")
    return lines


def push(folder: Path, target: Target, message: str) -> str:
    """Send a folder's files in one commit and return the commit's address.

    A new repository is private unless the target says otherwise. Raises `ValueError` where the hub refuses.
    """
    left = f"what was exported is in {folder}"
    with _explained(left):
        api = _api()
        if not target.exists:
            api.create_repo(target.repo, repo_type=target.kind, private=target.private, exist_ok=False)
        commit = api.upload_folder(
            repo_id=target.repo,
            repo_type=target.kind,
            folder_path=str(folder),
            allow_patterns=[str(f.relative_to(folder)) for f in _files(folder)],
            commit_message=message,
        )
    return str(commit.commit_url)


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file())


def _api() -> Any:
    from huggingface_hub import HfApi
    from huggingface_hub.constants import is_offline_mode

    if is_offline_mode():
        raise ConnectionError("HF_HUB_OFFLINE is set")
    return HfApi(token=os.environ[TOKEN], library_name="looptool-kit")


@contextmanager
def _explained(state: str) -> Iterator[None]:
    """Make what goes wrong between here and the hub one sentence.

    `state` says what has happened so far.
    """
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except HfHubHTTPError as error:
        why = (error.server_message or str(error)).strip().splitlines()[0]
        raise ValueError(
            f"the hub refuses: {why}; {state}. Does the token in {TOKEN} have the right?"
        ) from None
    except (OSError, httpx.HTTPError, OfflineModeIsEnabled) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"the hub cannot be reached from here ({why}); {state}. Push from a machine that reaches it"
        ) from None
