"""Workers as actors of Ray: on this machine, or on the machines of a cluster that share a file system."""

from __future__ import annotations

import contextlib
import logging
import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.engines.base import Options, division, usable_cores
from pipeline.engines.pool import Pool, WorkerLostError
from pipeline.engines.process import ROOT
from pipeline.engines.work import Outcome, Task, Worker

STORE_BYTES = 100_000_000  # object store of a Ray that we start: only paths and lines of text pass through it


def start(options: Options, config: Config) -> RayPool:
    """Raises PoselineError where Ray is missing, its cluster does not answer, or is too small for one worker."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is sent anywhere
    try:
        import ray
    except ImportError as error:
        raise PoselineError("--engine ray: Ray is not installed; pip install 'poseline[ray]'") from error
    address = options.ray_address or os.environ.get("RAY_ADDRESS") or "local"
    own = address == "local"
    cores = usable_cores()
    if own:
        workers, threads = division(cores, options.workers, config.runtime.threads)
        _begin(ray, "local", num_cpus=workers * threads, object_store_memory=STORE_BYTES, include_dashboard=False)
    else:
        _begin(ray, address)
        workers, threads = division(int(ray.cluster_resources().get("CPU", 0)), options.workers, config.runtime.threads)
    runtime = config.runtime.model_copy(update={"threads": threads})
    config = config.model_copy(update={"runtime": runtime})
    needs = {"num_cpus": threads, "num_gpus": options.gpus_per_worker or 0}
    try:
        _check_room(ray, needs)
        actor = ray.remote(RayWorker).options(**needs, max_restarts=0)
        return RayPool(ray, lambda: Actor(ray, actor.remote(config, _version())), workers)
    except BaseException:
        ray.shutdown()
        raise


def _begin(ray: Any, address: str, **options: Any) -> None:
    # Ray's processes on this machine inherit the variable, and find this package as this process does.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [before])])
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # Ray also raises plain Exceptions, for instance when its services start too slowly
        ray.shutdown()  # stops the services that have started
        reason = str(error).strip().split("\n")[0][:200]
        where = "does not start on this machine" if address == "local" else f"at {address} does not answer"
        raise PoselineError(f"--engine ray: Ray {where} ({reason}); see ray status, or use --engine process") from error
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _check_room(ray: Any, needs: dict[str, float]) -> None:
    for name, value in (("CPU", needs["num_cpus"]), ("GPU", needs["num_gpus"])):
        most = max((node["Resources"].get(name, 0) for node in ray.nodes() if node["Alive"]), default=0)
        if value > most:
            raise PoselineError(
                f"--engine ray: a worker wants {value:g} {name}s and no machine of the cluster has more than {most:g};"
                " change --threads or --gpus-per-worker"
            )


def _version() -> str:
    try:
        return version("poseline")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"


class RayWorker:
    """The actor."""

    def __init__(self, config: Config, asked: str) -> None:
        self._other = "" if asked == _version() else f"it has poseline {_version()}, the run {asked}"
        self._worker = Worker(config)

    def ready(self) -> str:
        """The fault of this worker in words, or an empty text."""
        return self._other

    def do(self, task: Task) -> Outcome:
        return self._worker.do(task)


class Actor:
    """A handle of a running RayWorker."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        wrong = self._get(actor.ready.remote())
        if wrong:
            raise WorkerLostError(f"would not do ({wrong})")

    def do(self, task: Task) -> Outcome:
        return self._get(self._actor.do.remote(task))

    def _get(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self.stop()
            raise WorkerLostError(f"is gone ({_reason(error)})") from error

    def stop(self) -> None:
        with contextlib.suppress(Exception):  # Ray may be down already
            self._ray.kill(self._actor, no_restart=True)


def _reason(error: Exception) -> str:
    """The line of Ray's long message that names the cause."""
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    told = [
        line for line in lines if line.startswith(("The actor died", "Worker exit", "Task was killed", "ModuleNot"))
    ]
    return (told or lines or [type(error).__name__])[0][:200]


class RayPool(Pool):
    """The pool, with Ray started for it."""

    def __init__(self, ray: Any, connect: Any, workers: int) -> None:
        self._ray = ray
        super().__init__(connect, workers, "ray")

    def close(self) -> None:
        super().close()
        self._ray.shutdown()
