"""Many workers in place of this process: batches of a stage as a Ray Data pipeline (docs/scale-ray.md).

The setting `cluster.address` says where. A batch of row numbers is one row of the pipeline; an actor that
has opened the policy's engine once works on it, and its result streams back to this process, which alone
writes to the run folder. Ray holds back what nobody takes yet, and repeats the batches of a lost worker.
Nothing of Ray is imported where the setting is empty.
"""

from __future__ import annotations

import logging
import os
import pickle
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from looptool_kit.config.sections import ClusterSettings
from looptool_kit.core.errors import RunError
from looptool_kit.core.terminal import visible
from looptool_kit.core.versions import version

T = TypeVar("T")
R = TypeVar("R")

_wanted: ContextVar[ClusterSettings | None] = ContextVar("cluster", default=None)
sent: list[Any] = []
"""The remote engines that the work holds that was packed last: each adds itself."""
STORE_BYTES = 200 * 2**20
"""Shared memory of a local Ray: results go through it, and what does not fit goes to the disk."""
RETRIES = 3
"""Times that a batch is repeated whose worker was lost: one that ends each worker must not go on for ever."""
STARTS = 3
"""Tries to start a local Ray, which gives up by itself where its own processes take over 15 s to start
(https://github.com/ray-project/ray/issues/65983)."""
AGAIN = "What is finished is kept: start the same command again, and it resumes there."


class OnlyHere(RunError):
    """A worker was to write to the run; the driver does it."""


class Worker:
    """An actor of the pipeline.

    It holds the work, and with that what the work has opened.
    """

    inside = False
    """Whether this process is a worker."""

    def __init__(self, parts: list[Any], folder: str, driver: str, cpus: int) -> None:
        """Take over the driver's folder and work.

        Args:
            parts: One reference to the pickled work, in a list so that Ray hands it over as it is.
            folder: The driver's working directory.
            driver: Its version of this package.
            cpus: Threads of torch.
        """
        import ray

        Worker.inside = True
        os.environ.setdefault("OMP_NUM_THREADS", str(cpus))
        self.error: Exception | None = None
        try:
            if version() != driver:
                raise RunError(
                    f"a worker on {os.uname().nodename} has looptool_kit {version()}, the driver {driver}:"
                    " install the same one on all nodes."
                )
            try:
                os.chdir(folder)
            except OSError as error:
                raise RunError(
                    f"a worker on {os.uname().nodename} does not see {folder} ({error.strerror}). Put the run"
                    " folder on a file system that all nodes share, under one path."
                ) from None
            self.work = pickle.loads(ray.get(parts[0]))
        except Exception as error:  # raised by the driver
            self.error = error

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with what was made of it, or with the error."""
        try:
            if self.error:
                raise self.error
            return {"at": row["at"], "fine": True, "made": pickle.dumps(self.work(pickle.loads(row["item"])))}
        except Exception as error:
            return {"at": row["at"], "fine": False, "made": _packed(error)}


def _packed(error: Exception) -> bytes:
    """An error as bytes; one that cannot be sent as a `RunError` with its words."""
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)
        return packed
    except Exception:
        return pickle.dumps(RunError(f"{type(error).__name__}: {error}"))


@contextmanager
def of(settings: ClusterSettings | None) -> Iterator[None]:
    """Let the work inside go to this cluster.

    None and an empty address keep it in this process.
    """
    token = _wanted.set(settings)
    try:
        yield
    finally:
        _wanted.reset(token)


def running() -> ClusterSettings | None:
    """The cluster that work goes to now.

    None where it stays in this process, as in a worker.
    """
    settings = _wanted.get()
    return settings if settings and settings.address and not Worker.inside else None


def through(items: Sequence[T], work: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    """Each item with what `work` makes of it.

    By the workers where a cluster runs, else here and in order.
    """
    # One item is not worth a worker, and may be one whose work asks the cluster itself.
    if running() and len(items) > 1:
        yield from each(items, work)
    else:
        yield from ((item, work(item)) for item in items)


def each(items: Sequence[T], work: Callable[[T], R], gpus: bool = True) -> Generator[tuple[T, R], None, None]:
    """Each item with what `work` makes of it, as they are finished.

    Args:
        items: Each is sent by itself, with pickle.
        work: Sent once to each worker. What it raises is raised here.
        gpus: Whether each worker takes a GPU, where the cluster has some.

    Raises:
        RunError: Ray is not installed, cannot be reached or was lost.
    """
    settings = running()
    assert settings is not None
    ray = connected(settings)
    import ray.cloudpickle as cloudpickle
    from ray.data import ActorPoolStrategy, from_items

    sent.clear()
    packed = cloudpickle.dumps(work)
    for engine in tuple(sent):
        if (results := engine.through(items, work)) is not None:
            yield from results
            return
    count = min(settings.workers, len(items))
    arguments = [[ray.put(packed)], os.getcwd(), version(), settings.cpus]
    rows = [{"at": at, "item": cloudpickle.dumps(item)} for at, item in enumerate(items)]
    with lost(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # ray_remote_args_fn, until 2.64
        made = from_items(rows, override_num_blocks=len(rows)).map(
            Worker,  # type: ignore[arg-type]  # a class is what `compute` wants
            fn_constructor_args=arguments,
            compute=ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=2),
            num_cpus=settings.cpus,
            num_gpus=1 if gpus and has_gpus() else None,
            # Lost workers come back by themselves; only how often is ours to say.
            ray_remote_args_fn=lambda: {"max_task_retries": RETRIES},
        )
        for row in made.iter_rows():
            result = pickle.loads(row["made"])
            item = items[row["at"]]
            if row["fine"]:
                yield item, result
            elif isinstance(result, OnlyHere):
                yield item, work(item)
            else:
                raise result


def connected(settings: ClusterSettings) -> Any:
    """The module `ray`, connected.

    Raises:
        RunError: It is not installed, or there is no such cluster.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise RunError(
            f"cluster.address = {settings.address!r} needs Ray, which is not installed here ({error}): pip"
            " install 'looptool-kit[ray]'. Without it leave the setting empty."
        ) from None
    if not ray.is_initialized():
        _start(ray, settings)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False  # the stage has its own
        logging.getLogger("ray.data").setLevel(logging.ERROR)
    if (there := ray.cluster_resources().get("CPU", 0)) < settings.cpus:
        raise RunError(
            f"the cluster {settings.address} has {there:g} processor cores, and one worker wants"
            f" cluster.cpus = {settings.cpus}: set it lower."
        )
    return ray


def _start(ray: Any, settings: ClusterSettings) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A local Ray that is gone is noticed in seconds, not after a minute.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "10")
    # Ray Data's own actors make Ray's core print an error at each start, which is none
    # (https://github.com/ray-project/ray/issues/53727).
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    plain: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if settings.address != "local":
        try:
            ray.init(address=settings.address, **plain)
        except Exception as error:
            raise RunError(
                f"no Ray cluster answers at cluster.address = {settings.address!r} ({_line(error)}). Start it"
                " (`ray start --head`), correct the address, or take `local`. One that wants a token wants"
                " RAY_AUTH_MODE=token in the environment, and its token where Ray looks for it."
            ) from None
        return
    about = {"num_cpus": settings.workers * settings.cpus, "object_store_memory": STORE_BYTES}
    for number in range(STARTS):
        try:
            ray.init(address="local", include_dashboard=False, **about, **plain)
            return
        except Exception as error:
            ray.shutdown()
            if number == STARTS - 1:
                raise RunError(
                    f"Ray does not start on this machine ({_line(error)}). Its own words are under"
                    " /tmp/ray/session_latest/logs. Where other work keeps the cores busy, try again later."
                ) from None


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return visible(lines[0])[:300]


@contextmanager
def lost(settings: ClusterSettings) -> Iterator[None]:
    """Turn Ray's own errors into one that says what to do."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        raise RunError(f"the Ray cluster {settings.address} was lost ({_line(error)}). {AGAIN}") from None


def has_gpus() -> bool:
    """Whether the cluster that this process is connected to has GPUs."""
    import ray

    return bool(ray.cluster_resources().get("GPU", 0))


def actor(kind: type, *arguments: Any) -> Any:
    """One actor of a class beside this process.

    It is on its machine where that is a node of the cluster.
    """
    settings = running()
    assert settings is not None
    ray = connected(settings)
    options: dict[str, Any] = {"num_cpus": 0}
    if not settings.address.startswith("ray://"):
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = ray.get_runtime_context().get_node_id()
        options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(here, soft=False)
    return ray.remote(kind).options(**options).remote(*arguments)


def close() -> None:
    """Leave the cluster; a local Ray ends with that."""
    import sys

    if (ray := sys.modules.get("ray")) is not None and ray.is_initialized():
        ray.shutdown()
