"""Identity scores (Ristani et al. 2016) as TrackEval 1.3 counts them."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.evaluate.sequence import THRESHOLD, Sequence


def identity(sequence: Sequence) -> dict[str, float]:
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
