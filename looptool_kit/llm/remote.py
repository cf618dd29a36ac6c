"""Model calls on a cluster: workers ask, and one actor writes the store.

The store stays the truth. An answer is in it before a worker counts it, and whoever takes over the calls of a
lost worker looks there first: at most the calls in flight are paid twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from looptool_kit import cluster
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.progress import bar
from looptool_kit.llm.calls import NOT_TRIED, Calls, Keep
from looptool_kit.llm.messages import Reply
from looptool_kit.llm.store import keep, kept, open_store

ROUNDS = 4
"""Calls that a worker takes at a time, for each that it has in flight."""


class Writer:
    """The actor that alone writes a store."""

    def __init__(self, store: Path) -> None:
        """Open the store."""
        self.store, self.db = store, open_store(store)

    def kept(self, keys: list[str]) -> dict[str, Reply]:
        """Key -> reply, for those that are there."""
        return kept(self.store, keys)

    def keep(self, key: str, model: str, raw: str) -> None:
        """Keep an answer; it is in the file when this returns."""
        keep(self.db, self.store, key, model, raw)

    def close(self) -> None:
        """Close the file."""
        self.db.close()


class WorkersCalls(Calls):
    """The calls of one worker, whose answers the writer keeps."""

    writer: Any = None

    @contextmanager
    def keeping(self) -> Iterator[Keep]:
        """Hand answers to the writer."""

        async def one(key: str, raw: str) -> None:
            await self.writer.keep.remote(key, self.endpoint.model, raw)

        yield one


def asked(endpoint: Endpoint, store: Path, todo: Mapping[str, bytes], title: str) -> dict[str, Reply]:
    """Key -> reply of the calls, by workers of the cluster.

    They are made under a progress bar.
    The endpoint's concurrency is that of all workers together. Where one of them finds that too many calls
    failed in a row, what has not begun is not tried.

    Raises:
        EndpointError: As `client.complete`.
        StoreError: As there.
        RunError: The cluster was lost.
    """
    settings = cluster.running()
    assert settings is not None
    ray = cluster.connected(settings)
    share = max(1, endpoint.concurrency // settings.workers)
    size = max(1, min(ROUNDS * share, -(-len(todo) // settings.workers)))
    calls = list(todo.items())
    chunks = [calls[at : at + size] for at in range(0, len(calls), size)]
    replies: dict[str, Reply] = {}
    with cluster.lost(settings), bar(len(calls), title, "call") as shown:
        writer = cluster.actor(Writer, store.absolute())
        work = partial(_ask, endpoint.model_copy(update={"concurrency": share}), store, writer)
        try:
            with closing(cluster.each(chunks, work, gpus=False)) as finished:
                for chunk, made in finished:
                    replies |= made
                    shown.update(len(chunk))
                    if any(r.error.startswith(NOT_TRIED) for r in made.values()):
                        break
        finally:
            ray.get(writer.close.remote())
            ray.kill(writer)
    return {key: replies.get(key) or Reply(None, f"{NOT_TRIED}: {_last(replies)}") for key in todo}


def _ask(endpoint: Endpoint, store: Path, writer: Any, chunk: list[tuple[str, bytes]]) -> dict[str, Reply]:
    """In a worker: the replies of a chunk, of which another worker may have had some already."""
    import ray
    from ray.exceptions import RayTaskError

    try:
        replies: dict[str, Reply] = ray.get(writer.kept.remote([key for key, _ in chunk]))
        calls = WorkersCalls(endpoint, store, {key: body for key, body in chunk if key not in replies})
        calls.writer = writer
        calls.run()
        if calls.error:
            raise calls.error
    except RayTaskError as error:
        raise error.cause from None  # the writer's own
    return replies | calls.replies


def _last(replies: Mapping[str, Reply]) -> str:
    return next((r.error for r in reversed([*replies.values()]) if r.error), "").removeprefix(
        f"{NOT_TRIED}: "
    )
