"""COCO annotations of several keypoint sets, read back by pycocotools."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.core.keypoint_sets import HALPE26, WHOLEBODY133
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.core.types import Motion
from pipeline.export.run import export_run
from pipeline.store.folder import RunFolder
from pipeline.store.parts import fixed
from pipeline.store.tracks import tracks_schema
from tests.export.runs import make_run, person, times

T = times(30)
MIXED = Skeleton("mixed", ("extra", *COCO17.names[::-1], "more"), (), (0.1,) * 19)  # COCO's in another order


def with_tracks(folder: RunFolder, motion: Motion, skeleton: Skeleton) -> RunFolder:
    """The run with the person's rows in tracks.parquet."""
    n = len(motion)
    columns = [
        *(pa.array(np.full(n, motion.person_id, np.int32)), pa.array(motion.frame), pa.array(motion.time_s)),
        *(fixed(motion.box_px), pa.array(np.nan_to_num(motion.score)), fixed(motion.keypoints_px)),
        *(fixed(motion.keypoint_score), pa.array(motion.state)),
    ]
    schema = tracks_schema(skeleton, folder.manifest()["video"], "c")
    pq.write_table(pa.table(columns, schema=schema), folder.tracks)
    return folder


@pytest.mark.parametrize("skeleton", [HALPE26, MIXED], ids=lambda s: s.name)
def test_sets_with_cocos_17_are_written_as_these(tmp_path: Path, skeleton: Skeleton, capsys) -> None:
    there = person(1, range(30), T, skeleton)
    coco = COCO(export_run(with_tracks(make_run(tmp_path, [there], T, skeleton=skeleton), there, skeleton), "coco"))
    (category,) = coco.loadCats(coco.getCatIds())
    assert category["keypoints"] == list(COCO17.names)
    assert category["skeleton"] == [[a + 1, b + 1] for a, b in COCO17.limbs]
    places = there.keypoints_px[:, [skeleton.index(name) for name in COCO17.names]]
    for annotation, row in zip(coco.anns.values(), places, strict=True):
        points = np.reshape(annotation["keypoints"], (17, 3))
        known = np.isfinite(row).all(1)
        np.testing.assert_array_equal(points[:, 2] > 0, known)
        np.testing.assert_allclose(points[known, :2], row[known], atol=0.001)
        assert annotation["num_keypoints"] == known.sum()
    result = COCOeval(coco, coco.loadRes(list(coco.anns.values())), "keypoints")  # which knows 17 sigmas
    result.evaluate()
    result.accumulate()
    result.summarize()
    assert result.stats[0] == pytest.approx(1)


def test_whole_bodies_keep_hands_and_faces(tmp_path: Path) -> None:
    there = person(1, range(3), T, WHOLEBODY133)
    folder = make_run(tmp_path, [there], T, skeleton=WHOLEBODY133)
    content = json.loads(export_run(with_tracks(folder, there, WHOLEBODY133), "coco").read_text())
    assert len(content["categories"][0]["keypoints"]) == 133
    assert len(content["annotations"][0]["keypoints"]) == 3 * 133
