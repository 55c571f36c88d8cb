"""Where the chunks of videos are observed: in this process, in processes beside it, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.engines import local, process
from pipeline.engines.base import Engine, Options


def _ray(options: Options, config: Config) -> Engine:
    from pipeline.engines import ray

    return ray.start(options, config)


ENGINES: dict[str, Callable[[Options, Config], Engine]] = {"local": local.start, "process": process.start, "ray": _ray}


def start_engine(options: Options, config: Config) -> Engine:
    """Raises PoselineError for an engine that is not there, and for options that do not go together."""
    if options.name not in ENGINES:
        raise PoselineError(f"--engine {options.name}: choose one of {', '.join(ENGINES)}")
    if options.name == "local" and options.workers is not None:
        raise PoselineError(f"--workers {options.workers}: the local engine has none; add --engine process or ray")
    if options.workers is not None and options.workers < 1:
        raise PoselineError(f"--workers {options.workers}: write how many workers there are to be, 1 or more")
    for name, value in (("--ray-address", options.ray_address), ("--gpus-per-worker", options.gpus_per_worker)):
        if value is not None and options.name != "ray":
            raise PoselineError(f"{name} {value}: is for Ray; add --engine ray")
    return ENGINES[options.name](options, config)
