import dataclasses
from fractions import Fraction

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import PoselineError
from pipeline.core.types import MEASURED
from pipeline.render.privacy import Privacy
from pipeline.render.sheet import CELL_PX, GAP_PX, contact_sheet
from pipeline.store.manifest import Manifest
from pipeline.store.parts import fixed
from pipeline.video.encode import VideoWriter
from pipeline.video.index import index_video
from tests.render.test_render import motion, run_folder

SIZE_PX = (320, 240)
COLOURS = {1: (200, 40, 40), 2: (40, 60, 200)}


def tracks(folder, people):
    """tracks.parquet as far as the sheet reads it."""
    columns = {
        "person_id": np.concatenate([np.full(len(m), m.person_id, np.int32) for m in people]),
        "frame": np.concatenate([m.frame for m in people]),
        "box_px": fixed(np.concatenate([m.box_px for m in people])),
        "score": np.nan_to_num(np.concatenate([m.score for m in people])),
        "state": np.concatenate([m.state for m in people]),
    }
    pq.write_table(pa.table(columns), folder.tracks)


@pytest.fixture
def folder(tmp_path):
    """Two people as rectangles; person 2 stands before person 1 but in frames 20 to 29; frames up to 24 are blurred."""
    path = tmp_path / "two.mp4"
    stripes = np.zeros((240, 320, 3), np.uint8)
    stripes[:, ::4] = 40
    with VideoWriter(path, SIZE_PX, Fraction(1, 30), Fraction(30), crf=5) as writer:
        for i in range(40):
            image = np.full((240, 320, 3), 120, np.uint8)
            x = 200 if 20 <= i < 30 else 70
            cv2.rectangle(image, (60, 40), (119, 219), COLOURS[1], -1)
            cv2.rectangle(image, (x, 30), (x + 69, 229), COLOURS[2], -1)
            image = cv2.add(image, stripes) if i >= 25 else image
            writer.write(image, i)
    info = index_video(path)
    one, two = motion(info, np.arange(40)), motion(info, np.arange(40), 2)
    x = np.where((np.arange(40) >= 20) & (np.arange(40) < 30), 200, 70)
    boxes = [np.tile([60.0, 40, 120, 220], (40, 1)), np.stack([x, x * 0 + 30, x + 70, x * 0 + 230], 1)]
    people = [
        dataclasses.replace(
            m, box_px=b.astype(np.float32), score=np.full(40, 0.8, np.float32), state=np.full(40, MEASURED, np.uint8)
        )
        for m, b in zip((one, two), boxes, strict=True)
    ]
    folder = run_folder(tmp_path / "run", info, people)
    folder.write_manifest(Manifest(folder.manifest() | {"names": {"2": "Ann"}}))
    tracks(folder, people)
    return folder


def test_everybody_is_shown_where_nobody_is_before_them(folder):
    sheet = cv2.imread(str(contact_sheet(folder, Privacy())))[..., ::-1]
    assert sheet.shape[1] > 2 * CELL_PX[0]
    for n, person in enumerate((1, 2)):
        x = GAP_PX + n * (CELL_PX[0] + GAP_PX) + CELL_PX[0] // 2
        middle = sheet[GAP_PX + CELL_PX[1] // 2 - 20 : GAP_PX + CELL_PX[1] // 2 + 20, x - 15 : x + 15]
        seen = middle.reshape(-1, 3).mean(0)
        assert np.abs(seen - COLOURS[person]).max() < 40, person
        assert middle.astype(float).std(1).mean() > 3  # the sharp ones have stripes


def test_blurred_people_and_other_formats(folder, tmp_path):
    plain = cv2.imread(str(contact_sheet(folder, Privacy(), tmp_path / "a.jpg")))
    hidden = cv2.imread(str(contact_sheet(folder, Privacy("people"), tmp_path / "b.jpg")))
    assert plain.shape == hidden.shape
    assert np.abs(plain.astype(int) - hidden).max() > 60
    with pytest.raises(PoselineError, match="unknown kind of picture"):
        contact_sheet(folder, Privacy(), tmp_path / "a.pdf")


def test_nobody_and_a_lost_video_are_one_line(folder, tmp_path):
    pq.write_table(pq.read_table(folder.tracks).slice(0, 0), folder.tracks)
    with pytest.raises(PoselineError, match="nobody was found"):
        contact_sheet(folder, Privacy())
    (tmp_path / "two.mp4").unlink()
    with pytest.raises(PoselineError, match=r"two\.mp4: the source video is gone"):
        contact_sheet(folder, Privacy())
