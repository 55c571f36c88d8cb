"""Tracking accuracy from similarities: HOTA (Luiten et al. 2021), CLEAR MOT (Bernardin & Stiefelhagen 2008) and
identity scores (Ristani et al. 2016).

The numbers are those of TrackEval 1.3 (github.com/JonathonLuiten/TrackEval), whose conventions are kept where the
papers leave a choice. The scores do not depend on the kind of similarity: IoU of boxes and OKS of poses work alike.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.evaluate.clear import clear
from pipeline.evaluate.identity import identity
from pipeline.evaluate.sequence import EPS, Frame, Sequence, numbered

ALPHAS = np.arange(0.05, 0.99, 0.05)  # (19,) localisation thresholds that HOTA averages over


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
    sequence = numbered(frames)
    curves = _hota(sequence)
    scores: dict[str, float] = {name: 100.0 * float(curve.mean()) for name, curve in curves.items()}
    return scores | clear(sequence) | identity(sequence)


def hota_curves(frames: Iterable[Frame | tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """HOTA and its parts at each of `ALPHAS`: name → (19,) in 0…1, where HOTA² = DetA · AssA."""
    return _hota(numbered(frames))


def _hota(sequence: Sequence) -> dict[str, np.ndarray]:
    """HOTA at each threshold; see `hota_curves`.

    One matching serves all thresholds: it maximises similarity × the alignment of the two tracks over the whole
    sequence. Each threshold then drops the pairs with less similarity (TrackEval ``metrics/hota.py``).
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
    hit = similarity >= ALPHAS[:, None] - EPS  # (19, X)
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


def _alignment(sequence: Sequence) -> np.ndarray:
    """(G, P) Jaccard index of two tracks, with each frame weighted by how much the pair stands out in that frame."""
    shared = np.zeros((len(sequence.truth_count), len(sequence.found_count)))
    for truth, found, similarity in sequence.frames:
        rivals = similarity.sum(0)[None, :] + similarity.sum(1)[:, None] - similarity
        share = np.divide(similarity, rivals, out=np.zeros_like(similarity), where=rivals > EPS)
        shared[np.ix_(truth, found)] += share
    return shared / (sequence.truth_count[:, None] + sequence.found_count[None, :] - shared)
