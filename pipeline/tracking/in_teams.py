"""Who of a run is in which team: what everybody wears, gathered from the stored observations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from pipeline.core.settings import TeamsConfig
from pipeline.core.shots import Shots
from pipeline.core.team_text import Told, read_told
from pipeline.core.types import Observations
from pipeline.teams.found import Teams, teams_of
from pipeline.teams.worn import Worn, worn
from pipeline.tracking.glimpses import Collector


def told_of(settings: TeamsConfig) -> list[Told] | None:
    """What the settings say of two teams; empty: they are to be found; None: nobody asks for teams."""
    if settings.kits == "off":
        return None
    return [] if settings.kits == "auto" else read_told(settings.kits)


def teams_of_people(
    parts: Iterable[Observations],
    ids: np.ndarray,
    told: list[Told],
    fixed: Mapping[int, str],
    time_s: np.ndarray,
    size_px: tuple[int, int],
    camera: np.ndarray | None,
    shots: Shots,
) -> Teams:
    """The teams of the people of a run.

    Args:
        parts: all observations in order.
        ids: (N,) who each observation is, below 1 for nobody.
        told: what the settings say of two teams.
        fixed: the team of people of whom the user says so.
        time_s: (T,) time of each frame.
        size_px: (w, h) of the picture.
        camera: (T, 3, 3) motion of the camera into each frame; None: still.
        shots: what is seen by which camera.
    """
    collector, before = Collector(time_s, size_px, camera, shots), 0
    for part in parts:
        collector.add(part, ids[before : before + len(part)])
        before += len(part)
    g = collector.glimpses()

    def in_light(even: bool) -> Worn:
        return worn(g.tracklet, g.view, g.count, (g.first_s, g.last_s), g.look, g.place, even)

    return teams_of(in_light, told, fixed)
