"""Every paid model call: OpenAI-compatible chat completions behind a store of answers.

An answer is kept the moment it arrives, so a killed run repeats at most the calls in flight. A failed call is
not kept: the next call of `complete` asks again. API keys come from the environment, go into the
Authorization header and nowhere else: they are hidden in error messages, and an answer that repeats one is
refused, never rewritten.

A server of this kind renders prompts itself. So the name of a special token in the data (`<|im_end|>`) is
sent as it stands, and what the server makes of it is not decided here. The policy's engines send token ids
instead (`policy/engines/prompts.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from looptool_kit import cluster
from looptool_kit.core.endpoint import Endpoint, EndpointError
from looptool_kit.core.progress import bar
from looptool_kit.llm.calls import Calls
from looptool_kit.llm.messages import Reply, Request, body_of, key_of
from looptool_kit.llm.store import count_of, kept, spent_words
from looptool_kit.trust import require_endpoint


def complete(
    requests: Sequence[Request], endpoint: Endpoint, store: Path, desc: str = "calls", most: int | None = None
) -> list[Reply]:
    """The replies to `requests`, in order.

    What `store` holds is not asked again, and equal requests are asked once. It works in a script and inside
    a running event loop. A request that fails for good is a reply with `error`, and is asked again by the
    next call; after many such in a row the rest is not tried. An interrupt (Ctrl-C) keeps every answer that
    had arrived.

    Args:
        desc: The title of the progress bar.
        most: The budget: answers of this model that the store may hold (setting `calls.most`).

    Raises:
        EndpointError: The server refuses key, address or model, or the budget is too small.
        StoreError: The store cannot be used.
        OSError: The disk is full.
    """
    try:
        import aiohttp  # noqa: F401
    except ImportError:
        raise EndpointError("calls to a model server need aiohttp: pip install 'looptool-kit[llm]'") from None
    bodies = [body_of(r, endpoint) for r in requests]
    keys = [key_of(r, b, endpoint) for r, b in zip(requests, bodies, strict=True)]
    todo = dict(zip(keys, bodies, strict=True))
    replies = kept(store, todo)
    todo = {key: body for key, body in todo.items() if key not in replies}
    if todo:
        require_endpoint(store, endpoint)
        if most is not None:
            _afford(len(todo), most, endpoint, store, desc)
        title = f"{desc} ({len(replies)} from the store)" if replies else desc
        if cluster.running():
            from looptool_kit.llm.remote import asked

            replies |= asked(endpoint, store, todo, title)
        else:
            replies |= _asked(Calls(endpoint, store, todo), len(todo), title)
    return [replies[key] for key in keys]


def _asked(calls: Calls, count: int, title: str) -> dict[str, Reply]:
    """Key -> reply of the calls, made under a progress bar."""
    # A thread of its own, with or without a running loop here: the interrupt then reaches this thread, which
    # can stop the other in order.
    thread = Thread(target=calls.run, name="calls", daemon=True)
    try:
        thread.start()
        with bar(count, title, "call") as shown:
            while thread.is_alive():
                thread.join(0.2)
                shown.set_postfix_str(calls.progress(), refresh=False)
                shown.update(len(calls.replies) - shown.n)
    finally:
        calls.stop()
        thread.join()
    if calls.error:
        raise calls.error
    return calls.replies


def _afford(count: int, most: int, endpoint: Endpoint, store: Path, desc: str) -> None:
    """Raise `EndpointError` where `count` more answers of a model exceed its budget."""
    paid = count_of(store, endpoint.model)
    if paid + count > most:
        raise EndpointError(
            f"{desc}: {count:,} more calls to {endpoint.model}, after {spent_words(store, endpoint)}, exceed"
            f" the budget of calls.most = {most:,}. None of them was made, and all answers are kept. Set"
            f" calls.most to {paid + count} or more, or ask for less."
        )
