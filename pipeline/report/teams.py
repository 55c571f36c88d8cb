"""The teams on the page: colours, and seconds in each place by team."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.render.draw.teams import team_colours
from pipeline.report.blocks import Seconds

FINEST = {"m": 0.1, "px": 4.0}  # side of the cells


class TeamsOfPage:
    """Gathers the heat maps of teams while people stream by.

    Args:
        manifest: run.json.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._teams, self._camera = manifest.get("teams") or {}, manifest.get("camera") or {}
        self.colours = team_colours(self._teams)
        self._heat = {team: {unit: Seconds(side) for unit, side in FINEST.items()} for team in self.colours}

    def add(self, team: str | None, path: np.ndarray, time_s: np.ndarray) -> None:
        """Add a person's path (L, 4): x, y in m, and x, y in px; at times (L,)."""
        if team in self._heat:
            for unit, place in (("m", path[:, :2]), ("px", path[:, 2:])):
                self._heat[team][unit].add(place, time_s)

    def colour(self, team: str | None, own: tuple[int, int, int]) -> str:
        """#rrggbb of a person: of the team, else the person's own."""
        return "#{:02x}{:02x}{:02x}".format(*self.colours.get(team or "", own))

    def facts(self) -> dict[str, Any]:
        """Teams with name, colours, people and heat; whether their places are comparable over time."""
        kits = self._teams.get("kits") or {}
        teams = [
            {
                "name": team,
                "colour": self.colour(team, (0, 0, 0)),
                "shirt": kits[team]["shirt"],
                "people": kits[team]["people"],
                "heat": {unit: seconds.facts() for unit, seconds in self._heat[team].items()},
            }
            for team in self.colours
            if team in kits
        ]
        return {"teams": teams, "placed": bool(not self._camera.get("moves") or self._camera.get("ground"))}
