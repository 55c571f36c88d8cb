"""CLEAR MOT (Bernardin & Stiefelhagen 2008) as TrackEval 1.3 counts it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.evaluate.sequence import EPS, THRESHOLD, Sequence

MOSTLY_TRACKED, MOSTLY_LOST = 0.8, 0.2  # fractions of a true track's matched frames: above the first, below the second
_KEEP_BONUS = 1000.0  # CLEAR first continues the pairs of the last frame, whatever similarity is lost


def clear(sequence: Sequence) -> dict[str, float]:
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
        score[similarity < THRESHOLD - EPS] = 0
        rows, cols = linear_sum_assignment(-score)
        hit = score[rows, cols] > EPS
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
