"""Exports read back by other readers, against the tables they came from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO

from pipeline import PoselineError, load_config, run
from pipeline.core.skeleton import COCO17
from pipeline.export.run import export_run
from pipeline.store.folder import RunFolder

CLIP = Path(__file__).resolve().parents[2] / "data" / "laboratory.mp4"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    config = load_config("default")
    return run(CLIP, tmp_path_factory.mktemp("run"), config, start_s=0.1, end_s=0.25, render=False)[0]


def test_mot_has_every_row_from_frame_and_pixel_one(done: RunFolder) -> None:
    rows = pd.read_csv(export_run(done, "mot"), header=None)
    tracks = pd.read_parquet(done.tracks).sort_values(["frame", "person_id"], kind="stable")
    np.testing.assert_array_equal(rows[0], tracks["frame"] + 1)
    np.testing.assert_array_equal(rows[1], tracks["person_id"])
    box = np.stack(tracks["box_px"])
    np.testing.assert_allclose(rows[[2, 3]], box[:, :2] + 1, atol=0.006)
    np.testing.assert_allclose(rows[[4, 5]], box[:, 2:] - box[:, :2], atol=0.006)
    assert (rows[[7, 8, 9]] == -1).all(axis=None)


def test_coco_is_read_by_pycocotools(done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    coco = COCO(export_run(done, "coco", tmp_path / "people.json"))
    tracks = pd.read_parquet(done.tracks)
    assert sorted(coco.getImgIds()) == list(range(6, 15))
    assert len(coco.anns) == len(tracks)
    for annotation, row in zip(coco.anns.values(), tracks.itertuples(), strict=True):
        assert (annotation["track_id"], annotation["image_id"]) == (row.person_id, row.frame)
        points = np.reshape(annotation["keypoints"], (17, 3))  # the first of the run's 26
        np.testing.assert_allclose(points[:, :2].ravel(), row.keypoints_px[:34], atol=0.001)
        np.testing.assert_array_equal(points[:, 2] == 2, row.keypoint_score[:17] >= 0.3)
    assert coco.loadCats([1])[0]["keypoints"] == list(COCO17.names)


def test_unknown_formats_and_unfinished_runs(done: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(PoselineError, match=r"--format xls.*mot, coco"):
        export_run(done, "xls")
    (tmp_path / "run.json").write_text(json.dumps({"finished": False}))
    with pytest.raises(PoselineError, match="not finished"):
        export_run(RunFolder(tmp_path), "mot")


def test_an_export_removes_its_own_files_of_people_who_are_gone_only(done: RunFolder) -> None:
    folder = done.path / "sto"
    folder.mkdir()
    mine = [folder / name for name in ("person_0001_filtered.sto", "person_notes.sto")]
    old = [folder / name for name in ("person_0099.sto", "person_0099_part2.sto")]
    for path in mine + old:
        path.write_text("mine")
    export_run(done, "sto")
    assert [path.read_text() for path in mine] == ["mine"] * 2
    assert not any(path.exists() for path in old)
    assert (folder / "person_0001.sto").exists()
