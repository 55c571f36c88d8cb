"""This process: one video after another, decoding in a thread beside the networks."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Progress, WallClock
from pipeline.engines.base import Ended, Job, Options
from pipeline.engines.work import Networks, observe

RELOAD_S = 2.0  # seconds of observing beside which loading the networks again, .1 s, is little


def start(options: Options, config: Config) -> LocalEngine:
    return LocalEngine(config)


class LocalEngine:
    """Holds the networks."""

    def __init__(self, config: Config) -> None:
        self._networks = Networks(config)

    def map(self, jobs: Iterator[Job], config: Config, render: bool, progress: Progress) -> Iterator[Ended]:
        from pipeline.finish import finish

        for job in jobs:
            try:
                clock = WallClock()
                progress.start("observe", job.frames[1] - job.frames[0], job.observed)
                observe(job.folder, job.info, config, job.missing, self._networks, job.digest, progress, job.kept)
                took_s = clock.seconds()
                if took_s > RELOAD_S:
                    self._networks.release()  # tracking and rendering need the memory
                finish(job.folder, config, job.info, render, {**job.stages, "observe": took_s}, progress)
            except PoselineError as error:
                yield Ended(job, error)
                continue
            yield Ended(job)

    def close(self) -> None:
        pass
