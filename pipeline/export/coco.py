"""COCO keypoint annotations with ``track_id``: an image per frame, an annotation per person and frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.skeleton import COCO17, MANY, Skeleton, mapping
from pipeline.core.types import VideoInfo
from pipeline.export.options import ExportOptions
from pipeline.store.atomic import atomic
from pipeline.store.checked import TableFile
from pipeline.store.columns import VIDEO_TIME
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.index import stored_video

SEEN, GUESSED = 2, 1  # COCO's visibility: labelled and visible, labelled but not visible
VISIBLE = 0.3  # keypoint score from which a point counts as seen


def export_coco(folder: RunFolder, path: Path, options: ExportOptions) -> None:
    """Write all frames that were observed and all rows of tracks.parquet, one person in memory at a time.

    A set with all of COCO's 17 keypoints is written as these 17 alone, in COCO's order, since readers of COCO know no
    others; whole-body sets keep hands and face. A keypoint is (x, y, v): v is 2 for a score of at least .3, 1 for a
    lower score or a bridged point, 0 with x = y = 0 for a missing one. Each image has ``time_s``, each annotation
    ``score``.
    """
    manifest = folder.manifest()
    skeleton = skeleton_of_run(folder)
    written, columns = _written(skeleton)
    info = stored_video(folder)
    facts, (low, high) = manifest["video"], manifest["frames_observed"]
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
        out.write('{"images": [\n')
        images = (_image(i, _times(info, i, options.offset_s), facts) for i in range(low, high))
        out.writelines(_joined(images))
        out.write('],\n"categories": ' + json.dumps([_category(written)]) + ',\n"annotations": [\n')
        out.writelines(_joined(_annotations(folder, len(skeleton), columns)))
        out.write("]}\n")


def _written(skeleton: Skeleton) -> tuple[Skeleton, np.ndarray]:
    """The keypoint set that is written, and its columns among the run's keypoints."""
    columns = mapping(skeleton, COCO17)
    if len(skeleton) > MANY or (columns < 0).any():
        return skeleton, np.arange(len(skeleton))
    return COCO17, columns


def _joined(items: Iterator[dict[str, Any]]) -> Iterator[str]:
    """One JSON object a line, with commas between."""
    for n, item in enumerate(items):
        yield (",\n" if n else "") + json.dumps(item)


def _times(info: VideoInfo, frame: int, offset_s: float) -> dict[str, float]:
    """The frame's real time with the offset, and the video's own where it is another."""
    own = {} if info.own_clock else {VIDEO_TIME: float(info.time_s[frame])}
    return {"time_s": float(info.real_s[frame]) + offset_s, **own}


def _image(frame: int, times: dict[str, float], facts: dict[str, Any]) -> dict[str, Any]:
    name = f"{Path(facts['path']).name}#{frame}"
    size = {"width": facts["width_px"], "height": facts["height_px"]}
    return {"id": frame, "frame": frame, **times, "file_name": name, **size}


def _category(skeleton: Skeleton) -> dict[str, Any]:
    limbs = [[a + 1, b + 1] for a, b in skeleton.limbs]  # COCO counts from 1 here
    return {"id": 1, "name": "person", "keypoints": list(skeleton.names), "skeleton": limbs}


def _annotations(folder: RunFolder, k: int, columns: np.ndarray) -> Iterator[dict[str, Any]]:
    """All rows; of their ``k`` keypoints those in ``columns``."""
    file, number = TableFile(folder.tracks), 0
    for group in range(file.row_groups):
        table = file.read(group)

        def column(name: str, *shape: int, table: Any = table) -> np.ndarray:
            return table[name].combine_chunks().flatten().to_numpy().reshape(-1, *shape).astype(np.float64)

        boxes = column("box_px", 4)
        points, scores = column("keypoints_px", k, 2)[:, columns], column("keypoint_score", k)[:, columns]
        known = np.isfinite(points).all(2)
        seen = np.where(known, np.where(scores >= VISIBLE, SEEN, GUESSED), 0)
        xyv = np.concatenate([np.where(known[..., None], points, 0).round(3), seen[..., None]], 2)
        rows = zip(table["person_id"].to_pylist(), table["frame"].to_pylist(), table["score"].to_pylist(), strict=True)
        for i, (person, frame, score) in enumerate(rows):
            number += 1
            x1, y1, x2, y2 = boxes[i].round(3).tolist()
            yield {
                "id": number,
                "image_id": frame,
                "category_id": 1,
                "track_id": person,
                "bbox": [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)],
                "area": round((x2 - x1) * (y2 - y1), 3),
                "iscrowd": 0,
                "keypoints": xyv[i].ravel().tolist(),
                "num_keypoints": int(known[i].sum()),
                "score": round(score, 5),
            }
