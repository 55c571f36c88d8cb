"""Distances, speed bands, sprints and accelerations of a player whose way is known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.measure.players import PLAYER_COLUMNS, efforts, player

T = np.arange(0, 30, 0.04)


def columns(speed: np.ndarray) -> dict[str, np.ndarray]:
    distance = np.concatenate([[0], np.cumsum((speed[1:] + speed[:-1]) / 2 * np.diff(T))])
    none = np.zeros(len(T))
    return {
        "ground_speed_m_s": speed, "ground_distance_m": distance, "ground_speed_m_s_std": none,
        "ground_distance_m_std": none,
    }  # fmt: skip


def test_a_player_who_walks_sprints_twice_and_brakes_hard() -> None:
    """1.5 m/s; twice up to 8 m/s at 4 m/s² for 3 s and down again; once above 7 m/s for half a second only."""
    speed = np.interp(T, [0, 3, 4.625, 7.6, 9.2, 15, 16.6, 20, 21.6, 25, 26.3, 26.9, 28.2, 30],
                      [1.5, 1.5, 8, 8, 1.5, 1.5, 8, 8, 1.5, 1.5, 7.1, 7.1, 1.5, 1.5])  # fmt: skip
    told = player(columns(speed), T)
    assert set(told) == set(PLAYER_COLUMNS) - {"person_id", "name", "team"}
    assert told["sprints"] == 2
    assert told["accelerations"] == 3
    assert told["decelerations"] == 3
    assert told["top_speed_m_s"] == pytest.approx(8, abs=0.01)
    assert sum(told[f"{b}_s"] for b in ("walking", "jogging", "running", "high_speed_running", "sprinting")) == (
        pytest.approx(told["time_s"])
    )
    assert told["sprinting_m"] > told["sprint_distance_m"] > 45


def test_a_gap_ends_an_effort() -> None:
    t = np.array([0, 0.5, 1.0, 3.0, 3.5])
    assert efforts(t, np.ones(5, bool), 0.9) == [(0, 3)]
    assert efforts(t, np.zeros(5, bool), 0.1) == []
    unknown = player({name: np.full(len(T), np.nan) for name in columns(T)}, T)
    assert unknown["sprints"] == 0
    assert np.isnan(unknown["distance_m"])
