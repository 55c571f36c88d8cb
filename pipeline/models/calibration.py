"""What a network's scores mean: a monotone map from its raw score to the probability that it is right, and back.

A box is right when it has an IoU of .5 and more with a person, a keypoint when the OKS of this point alone is .5 and
more. Networks differ in the scores that they give for the same probability. Poseline's scores, in tables and
thresholds, are those of the embedded networks: another network's raw score becomes the score that the embedded network
of the same role gives at the same probability (`as_embedded`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)  # raw scores at which a calibration tells the probability
_LEAST, _MOST = 1e-6, 1 - 1e-6  # scores and probabilities are held between
_LEAST_SLOPE = 0.05  # of log odds over log odds, so that the map can be turned round
_PRIOR = 30.0  # weight of straightness, in squared differences of slopes, beside the log likelihood


@dataclass(frozen=True)
class ScoreMap:
    """Probabilities (len(KNOTS),) at the raw scores `KNOTS`; between and beyond them log odds are joined by lines.

    A score of 0 is a probability of about 0, one of 1 about 1.
    """

    probability_at: tuple[float, ...]
    about: str = ""  # where it was measured

    def __post_init__(self) -> None:
        told = np.array(self.probability_at, np.float64)
        if told.shape != (len(KNOTS),) or not ((told > 0) & (told < 1)).all() or not (np.diff(told) > 0).all():
            raise ValueError(
                f"{len(KNOTS)} rising probabilities between 0 and 1 are a calibration, not {told.tolist()}"
            )

    def probability(self, score: np.ndarray) -> np.ndarray:
        """The probability of each raw score, f64."""
        return _odds_to(_joined(_log_odds(score), _log_odds(KNOTS), _log_odds(self.probability_at)))

    def score(self, probability: np.ndarray) -> np.ndarray:
        """The raw score of each probability, f64."""
        return _odds_to(_joined(_log_odds(probability), _log_odds(self.probability_at), _log_odds(KNOTS)))


def read(told: Any, about: str = "") -> ScoreMap:
    """A calibration as files have it, a list of probabilities. ValueError for anything else."""
    if not isinstance(told, list) or not all(isinstance(value, int | float) for value in told):
        raise ValueError(f"a list of {len(KNOTS)} probabilities is a calibration, not {told}")
    return ScoreMap(tuple(float(value) for value in told), about)


def as_embedded(score: np.ndarray, own: ScoreMap, embedded: ScoreMap) -> np.ndarray:
    """Raw scores of a network as the embedded network has them at the same probability, f32; 0 stays 0."""
    same = embedded.score(own.probability(score))
    return np.where(score > 0, same, 0).astype(np.float32)


def fitted(score: np.ndarray, right: np.ndarray, weight: np.ndarray, about: str = "") -> ScoreMap:
    """The likeliest calibration of raw scores (N,) that were right (N,), 0 or 1 or between, with weights (N,)."""
    from scipy.optimize import minimize

    known, x = _log_odds(KNOTS), _log_odds(score)
    step = np.diff(known)

    def at(free: np.ndarray) -> np.ndarray:
        return np.cumsum(np.append(free[0], (_LEAST_SLOPE + np.logaddexp(0, free[1:])) * step))

    def unlikely(free: np.ndarray) -> float:
        odds = _joined(x, known, at(free))
        bend = np.diff(np.logaddexp(0, free[1:]))
        return float(np.sum(weight * (np.logaddexp(0, odds) - right * odds)) + _PRIOR * np.sum(bend**2))

    found = minimize(unlikely, np.append(known[0], np.ones(len(step))), method="BFGS")
    return ScoreMap(tuple(_odds_to(at(found.x)).round(4).clip(1e-4, 1 - 1e-4).tolist()), about)


def error(probability: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: the mean distance of stated and true shares over bins of equal width."""
    row = np.minimum((probability * bins).astype(int), bins - 1)
    off = np.bincount(row, probability - right, bins)
    return float(np.abs(off).sum() / max(len(row), 1))


def error_by_chance(probability: np.ndarray, draws: int = 100) -> float:
    """The mean `error` of true probabilities (N,): what so few would show although nothing is wrong. Seeded."""
    rng = np.random.default_rng(0)
    return float(np.mean([error(probability, rng.random(len(probability)) < probability) for _ in range(draws)]))


def _joined(x: np.ndarray, known: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Values at x by lines through (known, value), both rising; the outermost lines go on."""
    row = np.searchsorted(known, x).clip(1, len(known) - 1) - 1
    slope = np.diff(value) / np.diff(known)
    out: np.ndarray = value[row] + slope[row] * (x - known[row])
    return out


def _log_odds(p: Any) -> np.ndarray:
    held = np.clip(np.asarray(p, np.float64), _LEAST, _MOST)
    return np.log(held / (1 - held))


def _odds_to(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
