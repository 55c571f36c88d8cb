"""Tracking accuracy from similarities: HOTA (Luiten et al. 2021), CLEAR MOT (Bernardin & Stiefelhagen 2008) and
identity scores (Ristani et al. 2016).

The numbers are those of TrackEval 1.3 (github.com/JonathonLuiten/TrackEval), whose conventions are kept where the
papers leave a choice. Nothing here knows what a similarity is: IoU of boxes and OKS of poses are scored alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

ALPHAS = np.arange(0.05, 0.99, 0.05)  # (19,) localisation thresholds that HOTA averages over
THRESHOLD = 0.5  # similarity from which CLEAR and the identity scores call a pair a match
MOSTLY_TRACKED, MOSTLY_LOST = 0.8, 0.2  # fraction of a true track's frames: above the one, below the other
_EPS = float(np.finfo(np.float64).eps)
_KEEP_BONUS = 1000.0  # CLEAR continues last frame's pairs first, at any loss of similarity


class Frame(NamedTuple):
    """One frame: who is there in truth and in the prediction, and how alike they are."""

    truth_id: np.ndarray  # (N,) no id twice
    found_id: np.ndarray  # (M,) no id twice
    similarity: np.ndarray  # (N, M) in 0…1


def score_similarities(frames: Iterable[Frame | tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[str, float]:
    """HOTA, CLEAR and identity scores of one sequence.

    ``frames`` are `Frame`s or such tuples, in the order of time; ids may be any integers or strings. Frames without
    anybody may be left out. Sequences chained with ids of their own are scored as TrackEval combines sequences.

    Returns, scores in percent and counts as int:

    - ``HOTA DetA AssA LocA DetRe DetPr AssRe AssPr``: means over the thresholds .05 … .95 (`hota_curves`).
    - ``MOTA`` (negative when there are more errors than people), ``MOTP`` (mean similarity of the matches, 0 without),
      ``FP FN IDSW Frag``, ``MT ML`` (true tracks followed in more than 80 %, less than 20 % of their frames), ``GT``
      (true tracks).
    - ``IDF1 IDP IDR``.

    As in TrackEval all scores are 0 where there is no truth or no prediction, but LocA, which is 100 without matches.

    Raises ValueError for a similarity of the wrong shape or outside 0…1 and for an id that is twice in a frame.
    """
    sequence = _number(frames)
    curves = _hota(sequence)
    scores: dict[str, float] = {name: 100.0 * float(curve.mean()) for name, curve in curves.items()}
    return scores | _clear(sequence) | _identity(sequence)


def hota_curves(frames: Iterable[Frame | tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """HOTA and its parts at each of `ALPHAS`: name → (19,) in 0…1, where HOTA² = DetA · AssA."""
    return _hota(_number(frames))


@dataclass(frozen=True)
class _Sequence:
    """Frames whose ids are numbered through: G true ones, P predicted ones, D true people and Q predicted in all."""

    frames: list[Frame]
    truth_count: np.ndarray  # (G,) frames of each true id
    found_count: np.ndarray  # (P,)

    @property
    def people(self) -> tuple[int, int]:
        """D and Q."""
        return int(self.truth_count.sum()), int(self.found_count.sum())


def _number(frames: Iterable[Frame | tuple[np.ndarray, np.ndarray, np.ndarray]]) -> _Sequence:
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
    numbered = [Frame(t, f, frame.similarity) for t, f, frame in zip(true_ids, found_ids, checked, strict=True)]
    return _Sequence(numbered, truth_count, found_count)


def _number_ids(ids: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Each frame's ids numbered through, and in how many frames each id is."""
    some = [i for i in ids if len(i)]  # an empty array has no telling dtype
    if not some:
        return [np.zeros(0, np.int64) for _ in ids], np.zeros(0, np.int64)
    _, number, count = np.unique(np.concatenate(some), return_inverse=True, return_counts=True)
    return np.split(number, np.cumsum([len(i) for i in ids])[:-1]), count


def _hota(sequence: _Sequence) -> dict[str, np.ndarray]:
    """HOTA at each threshold; see `hota_curves`.

    The matching is one and the same for all thresholds: it maximises similarity × how well the two tracks go
    together over the whole sequence, and a threshold then drops the pairs below it (TrackEval ``metrics/hota.py``).
    """
    truth_count, found_count = sequence.truth_count, sequence.found_count
    alignment = _alignment(sequence)
    codes, similarities = [np.zeros(0, np.int64)], [np.zeros(0)]
    for truth, found, similarity in sequence.frames:
        rows, cols = linear_sum_assignment(-(alignment[np.ix_(truth, found)] * similarity))
        codes.append(truth[rows] * len(found_count) + found[cols])  # a pair of tracks as one number
        similarities.append(similarity[rows, cols])
    code, index = np.unique(np.concatenate(codes), return_inverse=True)  # (U,) pairs of tracks, (X,) of the matches
    similarity = np.concatenate(similarities)
    hit = similarity >= ALPHAS[:, None] - _EPS  # (19, X)
    tp = hit.sum(1)  # (19,)
    together = np.stack([np.bincount(index[h], minlength=len(code)) for h in hit])  # (19, U)
    rows, cols = np.divmod(code, max(1, len(found_count)))
    in_truth, in_found = truth_count[rows], found_count[cols]  # (U,)
    matches = np.maximum(1, tp)
    ass_a = (together**2 / np.maximum(1, in_truth + in_found - together)).sum(1) / matches
    true_people, found_people = sequence.people
    det_a = tp / np.maximum(1, true_people + found_people - tp)
    return {
        "HOTA": np.sqrt(det_a * ass_a),
        "DetA": det_a,
        "AssA": ass_a,
        "LocA": np.where(tp > 0, hit @ similarity / matches, 1.0),
        "DetRe": tp / max(1, true_people),
        "DetPr": tp / max(1, found_people),
        "AssRe": (together**2 / np.maximum(1, in_truth)).sum(1) / matches,
        "AssPr": (together**2 / np.maximum(1, in_found)).sum(1) / matches,
    }


def _alignment(sequence: _Sequence) -> np.ndarray:
    """(G, P) Jaccard index of two tracks where each frame counts by how much the pair stands out in it."""
    shared = np.zeros((len(sequence.truth_count), len(sequence.found_count)))
    for truth, found, similarity in sequence.frames:
        rivals = similarity.sum(0)[None, :] + similarity.sum(1)[:, None] - similarity
        share = np.divide(similarity, rivals, out=np.zeros_like(similarity), where=rivals > _EPS)
        shared[np.ix_(truth, found)] += share
    return shared / (sequence.truth_count[:, None] + sequence.found_count[None, :] - shared)


def _clear(sequence: _Sequence) -> dict[str, float]:
    """CLEAR MOT at `THRESHOLD` (TrackEval ``metrics/clear.py``).

    A switch is counted against the last id that a true track was matched with, however long ago, and also when the
    track was not in the truth in the frame before, where the MOTChallenge devkit counts none. Only a match in the frame
    before is continued at the cost of similarity. Frames without any truth or any prediction at all change nothing: a
    track that resumes after such a gap has no fragment.
    """
    tracks = len(sequence.truth_count)
    followed, runs = np.zeros(tracks, np.int64), np.zeros(tracks, np.int64)  # frames matched, stretches of matches
    last = np.full(tracks, -1)  # the predicted id each true id was last matched with
    current = np.full(tracks, -1)  # the same for the frame before, -1 where it was missed
    switches, similarity_sum = 0, 0.0
    for truth, found, similarity in sequence.frames:
        if not similarity.size:
            continue
        score = _KEEP_BONUS * (found[None, :] == current[truth][:, None]) + similarity
        score[similarity < THRESHOLD - _EPS] = 0
        rows, cols = linear_sum_assignment(-score)
        hit = score[rows, cols] > _EPS
        rows, cols = rows[hit], cols[hit]
        who, partner = truth[rows], found[cols]
        switches += int(((last[who] >= 0) & (last[who] != partner)).sum())
        followed[who] += 1
        runs[who] += current[who] < 0
        last[who] = partner
        current[:] = -1
        current[who] = partner
        similarity_sum += float(similarity[rows, cols].sum())
    true_people, found_people = sequence.people
    tp = int(followed.sum())
    ratio = followed / np.maximum(1, sequence.truth_count)
    mota = (2 * tp - found_people - switches) / true_people if true_people else 0.0
    return {
        "MOTA": 100.0 * mota,
        "MOTP": 100.0 * similarity_sum / max(1, tp),
        "FP": found_people - tp,
        "FN": true_people - tp,
        "IDSW": switches,
        "Frag": int(np.maximum(runs - 1, 0).sum()),
        "MT": int((ratio > MOSTLY_TRACKED).sum()),
        "ML": int((ratio < MOSTLY_LOST).sum()),
        "GT": tracks,
    }


def _identity(sequence: _Sequence) -> dict[str, float]:
    """Identity scores at `THRESHOLD`: tracks paired one to one for the whole sequence (``metrics/identity.py``).

    TrackEval's assignment with one dummy per track minimises D + Q − 2 IDTP, so the largest sum of shared frames
    over the (G, P) table alone gives the same numbers.
    """
    shared = np.zeros((len(sequence.truth_count), len(sequence.found_count)))
    for truth, found, similarity in sequence.frames:
        shared[np.ix_(truth, found)] += similarity >= THRESHOLD
    tp = float(shared[linear_sum_assignment(-shared)].sum())
    true_people, found_people = sequence.people
    return {
        "IDF1": 100.0 * tp / max(1.0, 0.5 * (true_people + found_people)),
        "IDP": 100.0 * tp / max(1, found_people),
        "IDR": 100.0 * tp / max(1, true_people),
    }
