"""MOTChallenge text: frame, id, x, y, width, height, confidence, −1, −1, −1; frames and pixels count from 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.export.options import ExportOptions
from pipeline.store.atomic import atomic
from pipeline.store.checked import TableFile
from pipeline.store.folder import RunFolder


def export_mot(folder: RunFolder, path: Path, options: ExportOptions) -> None:
    """Write every row of tracks.parquet, bridged ones with a confidence of 0, sorted by frame and person."""
    with TableFile(folder.tracks) as file:
        table = file.whole(["person_id", "frame", "box_px", "score"])
    box = table["box_px"].combine_chunks().flatten().to_numpy().reshape(-1, 4).astype(np.float64)
    person, frame = table["person_id"].to_numpy(), table["frame"].to_numpy()
    order = np.lexsort((person, frame))
    size = box[:, 2:] - box[:, :2]
    rows = np.column_stack([frame + 1, person, box[:, :2] + 1, size, table["score"].to_numpy()])[order]
    with atomic(path) as temporary, open(temporary, "w", encoding="ascii") as out:
        np.savetxt(out, rows, fmt="%d,%d,%.2f,%.2f,%.2f,%.2f,%.4f,-1,-1,-1")
