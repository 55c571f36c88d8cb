"""Checked frames of truth and prediction with consecutive ids: the input of HOTA, CLEAR and identity scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

THRESHOLD = 0.5  # similarity from which CLEAR and the identity scores call a pair a match
EPS = float(np.finfo(np.float64).eps)


class Frame(NamedTuple):
    """One frame: the ids of the truth and of the prediction, and the similarities of their people."""

    truth_id: np.ndarray  # (N,) no id twice
    found_id: np.ndarray  # (M,) no id twice
    similarity: np.ndarray  # (N, M) in 0…1


@dataclass(frozen=True)
class Sequence:
    """Frames whose ids are numbered through: G true ones, P predicted ones, D true people and Q predicted in all."""

    frames: list[Frame]
    truth_count: np.ndarray  # (G,) frames of each true id
    found_count: np.ndarray  # (P,)

    @property
    def people(self) -> tuple[int, int]:
        """D and Q."""
        return int(self.truth_count.sum()), int(self.found_count.sum())


def numbered(frames: Iterable[Frame | tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Sequence:
    """The checked frames with ids 0 … G − 1 and 0 … P − 1."""
    checked = []
    for t, (truth, found, similarity) in enumerate(frames):
        frame = Frame(np.asarray(truth), np.asarray(found), np.asarray(similarity, np.float64))
        shape = (len(frame.truth_id), len(frame.found_id))
        if frame.similarity.shape != shape:
            raise ValueError(f"frame {t}: similarity must have shape {shape}, got {frame.similarity.shape}")
        if not ((frame.similarity >= 0) & (frame.similarity <= 1 + 1e-9)).all():
            raise ValueError(f"frame {t}: similarities must lie in 0…1")
        if any(len(np.unique(ids)) < len(ids) for ids in frame[:2]):
            raise ValueError(f"frame {t}: an id is there twice")
        checked.append(frame)
    true_ids, truth_count = _number_ids([frame.truth_id for frame in checked])
    found_ids, found_count = _number_ids([frame.found_id for frame in checked])
    frames_numbered = [Frame(t, f, frame.similarity) for t, f, frame in zip(true_ids, found_ids, checked, strict=True)]
    return Sequence(frames_numbered, truth_count, found_count)


def _number_ids(ids: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Each frame's ids as consecutive numbers, and the number of frames of each id."""
    some = [i for i in ids if len(i)]  # the dtype of an empty array may differ
    if not some:
        return [np.zeros(0, np.int64) for _ in ids], np.zeros(0, np.int64)
    _, number, count = np.unique(np.concatenate(some), return_inverse=True, return_counts=True)
    return np.split(number, np.cumsum([len(i) for i in ids])[:-1]), count
