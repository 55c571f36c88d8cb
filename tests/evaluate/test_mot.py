"""HOTA, CLEAR and identity scores: cases done by hand, numbers of TrackEval itself, invariances and properties."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17
from pipeline.evaluate import hota, mot
from pipeline.evaluate.sequence import Frame

ERRORS = ("FP", "FN", "IDSW", "Frag")


def sequence(truth: list[dict[int, str]], found: list[dict[int, str]], similarity: float = 1.0) -> list[Frame]:
    """Frames from who (id) is where (a letter) in truth and prediction; the same place means ``similarity``."""
    frames = []
    for here, there in zip(truth, found, strict=True):
        same = np.array([a == b for a in here.values() for b in there.values()]).reshape(len(here), len(there))
        frames.append(Frame(np.array([*here]), np.array([*there]), similarity * same))
    return frames


def test_a_perfect_prediction_scores_100():
    people = [{1: "a", 2: "b"}] * 10
    scores = hota.score_similarities(sequence(people, [{7: "b", 5: "a"}] * 10))
    counts = {"FP": 0, "FN": 0, "IDSW": 0, "Frag": 0, "MT": 2, "ML": 0, "GT": 2}
    assert {name: scores[name] for name in counts} == counts
    assert all(scores[name] == pytest.approx(100) for name in scores.keys() - counts.keys())


def test_a_switch_halfway():
    scores = hota.score_similarities(sequence([{1: "a"}] * 10, [{7: "a"}] * 5 + [{8: "a"}] * 5))
    assert [scores[name] for name in ERRORS] == [0, 0, 1, 0]
    assert scores["MOTA"] == pytest.approx(90)
    assert scores["IDF1"] == scores["IDP"] == scores["IDR"] == pytest.approx(50)  # five frames of ten keep their id
    assert scores["DetA"] == pytest.approx(100)
    assert scores["AssA"] == scores["AssRe"] == pytest.approx(50)  # 5 / (10 + 5 − 5)
    assert scores["AssPr"] == pytest.approx(100)
    assert scores["HOTA"] == pytest.approx(100 * math.sqrt(0.5))


def test_a_fragment():
    found = [{7: "a", 8: "b"}] * 4 + [{8: "b"}] + [{7: "a", 8: "b"}] * 5
    scores = hota.score_similarities(sequence([{1: "a", 2: "b"}] * 10, found))
    assert [scores[name] for name in ERRORS] == [0, 1, 0, 1]
    assert scores["MOTA"] == pytest.approx(95)
    assert scores["IDF1"] == pytest.approx(100 * 2 * 19 / (20 + 19))
    assert scores["AssA"] == pytest.approx(100 * (9 * 9 / 10 + 10) / 19)


def test_a_gap_in_which_nobody_is_predicted_is_no_fragment():  # as in TrackEval, see `pipeline.evaluate.clear`
    scores = hota.score_similarities(sequence([{1: "a"}] * 10, [{7: "a"}] * 4 + [{}] + [{7: "a"}] * 5))
    assert [scores[name] for name in ERRORS] == [0, 1, 0, 0]


def test_a_false_alarm():
    scores = hota.score_similarities(sequence([{1: "a"}] * 10, [{7: "a"}] * 9 + [{7: "a", 8: "b"}]))
    assert [scores[name] for name in ERRORS] == [1, 0, 0, 0]
    assert scores["MOTA"] == pytest.approx(90)
    assert scores["IDF1"] == pytest.approx(100 * 2 * 10 / (10 + 11))
    assert (scores["IDP"], scores["IDR"]) == (pytest.approx(1000 / 11), pytest.approx(100))
    assert (scores["DetPr"], scores["DetRe"]) == (pytest.approx(1000 / 11), pytest.approx(100))


def test_a_miss():
    scores = hota.score_similarities(sequence([{1: "a"}] * 10, [{7: "a"}] * 9 + [{}]))
    assert [scores[name] for name in ERRORS] == [0, 1, 0, 0]
    assert scores["MOTA"] == pytest.approx(90)
    assert scores["IDF1"] == pytest.approx(100 * 2 * 9 / (10 + 9))
    assert scores["HOTA"] == pytest.approx(90)  # √(.9 · .9)


def test_switch_while_a_track_is_away_is_counted_when_it_is_back():
    truth = [{1: "a", 2: "b"}] * 3 + [{2: "b"}] * 3 + [{1: "a", 2: "b"}] * 3
    found = [{7: "a", 8: "b"}] * 3 + [{8: "b"}] * 3 + [{9: "a", 8: "b"}] * 3
    assert hota.score_similarities(sequence(truth, found))["IDSW"] == 1


def test_loose_pairs_count_up_to_their_similarity():
    scores = hota.score_similarities(sequence([{1: "a"}] * 4, [{7: "a"}] * 4, similarity=0.62))
    assert scores["MOTP"] == pytest.approx(62)
    assert scores["DetA"] == scores["HOTA"] == pytest.approx(100 * 12 / 19)  # thresholds .05 … .60
    assert scores["LocA"] == pytest.approx(100 * (12 * 0.62 + 7) / 19)  # 1 where nothing matches


def test_a_pair_is_continued_although_another_is_closer():
    frames = [([1], [7], [[0.9]]), ([1], [7, 8], [[0.6, 0.9]])]
    scores = hota.score_similarities([Frame(*map(np.array, f)) for f in frames])
    assert (scores["IDSW"], scores["FP"]) == (0, 1)
    assert scores["MOTP"] == pytest.approx(75)


@pytest.mark.parametrize(("found", "mostly"), [(10, (1, 0)), (8, (0, 0)), (2, (0, 0)), (1, (0, 1))])
def test_mostly_tracked_is_above_80_percent_and_mostly_lost_below_20(found, mostly):
    scores = hota.score_similarities(sequence([{1: "a"}] * 10, [{7: "a"}] * found + [{}] * (10 - found)))
    assert (scores["MT"], scores["ML"]) == mostly


@pytest.mark.parametrize(
    ("truth", "found", "errors"), [({1: "a"}, {}, [0, 3, 0, 0]), ({}, {7: "a"}, [3, 0, 0, 0]), ({}, {}, [0, 0, 0, 0])]
)
def test_without_truth_or_prediction_the_scores_are_those_of_trackeval(truth, found, errors):
    scores = hota.score_similarities(sequence([truth] * 3, [found] * 3))
    assert [scores[name] for name in ERRORS] == errors
    assert (scores["LocA"], scores["GT"], scores["ML"]) == (100, len(truth), len(truth))
    assert all(scores[name] == 0 for name in ("HOTA", "DetA", "AssA", "MOTA", "MOTP", "IDF1", "IDP", "IDR", "MT"))
    assert hota.score_similarities([])["HOTA"] == 0


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (([1, 2], [7], [[1.0]]), "shape"),
        (([1], [7], [[1.5]]), "0…1"),
        (([1], [7], [[np.nan]]), "0…1"),
        (([1, 1], [7], [[1.0], [0.0]]), "twice"),
    ],
)
def test_bad_frames_are_refused(frame, message):
    with pytest.raises(ValueError, match=message):
        hota.score_similarities([Frame(*map(np.array, frame))])


def random_frames(seed: int) -> list[Frame]:
    """Up to 12 frames of some of five true and six predicted ids; pairs that belong together are alike."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(rng.integers(0, 12)):
        truth = rng.permutation(5)[: rng.integers(0, 6)]
        found = rng.permutation(6)[: rng.integers(0, 7)]
        similarity = rng.random((len(truth), len(found))) ** np.where(truth[:, None] == found[None], 0.3, 3)
        frames.append(Frame(truth, found, similarity))
    return frames


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_scores_are_percentages_and_hota_is_the_geometric_mean(seed):
    frames = random_frames(seed)
    scores, curves = hota.score_similarities(frames), hota.hota_curves(frames)
    counts = (*ERRORS, "MT", "ML", "GT")
    assert all(isinstance(scores[name], int) and scores[name] >= 0 for name in counts)
    assert all(-1e-9 <= v <= 100 + 1e-9 for name, v in scores.items() if name not in (*counts, "MOTA"))
    assert scores["MOTA"] <= 100
    np.testing.assert_allclose(curves["HOTA"] ** 2, curves["DetA"] * curves["AssA"], atol=1e-12)
    assert (curves["AssA"] <= np.minimum(curves["AssRe"], curves["AssPr"]) + 1e-12).all()
    assert (np.diff(curves["DetA"]) <= 1e-12).all()  # a stricter threshold finds fewer
    assert scores["FN"] - scores["FP"] == sum(len(f.truth_id) - len(f.found_id) for f in frames)


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_names_and_order_within_a_frame_do_not_matter(seed):
    frames = random_frames(seed)
    rng = np.random.default_rng(seed + 1)
    names, numbers = np.array(["Ada", "Bo", "Cy", "Di", "Ed"])[rng.permutation(5)], rng.permutation(1000)[:6] - 500
    renamed = []
    for truth, found, similarity in frames:
        rows, cols = rng.permutation(len(truth)), rng.permutation(len(found))
        renamed.append(Frame(names[truth][rows], numbers[found][cols], similarity[np.ix_(rows, cols)]))
    assert hota.score_similarities(renamed) == pytest.approx(hota.score_similarities(frames))
    backwards = hota.score_similarities(frames[::-1])  # only CLEAR knows before and after
    timeless = ("HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr", "IDF1", "IDP", "IDR")
    assert [backwards[n] for n in timeless] == pytest.approx([hota.score_similarities(frames)[n] for n in timeless])


def walkers(seed: int) -> tuple[str, str]:
    """MOTChallenge text of 6 people crossing for 40 frames, and of a tracker with every kind of error."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    lost = np.zeros(6, int)  # how often each has got a new id
    start, speed = 100 + 400 * rng.random(6), 16 * rng.random(6) - 8
    for t in range(1, 41):
        for i in range(6):
            chance, jitter = rng.random(4), 24 * rng.random(4) - 12
            box = np.array([start[i] + speed[i] * t, 50 + 20 * i, 60, 160])
            lost[i] += chance[0] < 0.05
            if chance[1] < 0.9 and t != 30:  # nobody is there in frame 30
                truth.append(f"{t},{i + 1},{','.join(f'{v:.2f}' for v in box)},{int(chance[2] < 0.93)},-1,-1,-1")
            if chance[3] < 0.85 and t != 20:  # nothing is found in frame 20
                who = 10 * lost[i] + (i if t < 25 or i > 1 else 1 - i)  # the first two swap ids
                found.append(f"{t} {who} {' '.join(f'{v:.2f}' for v in box + jitter)} 0.9 -1 -1 -1")
        if rng.random() < 0.3:
            found.append(f"{t} {900 + t // 9} {600 * rng.random():.2f} 60 60 160 0.5 -1 -1 -1")
    return "\n".join(truth) + "\n", "\n".join(found) + "\n"


# What TrackEval 1.3.0 (PyPI, numpy 2.4) makes of `walkers(0)` and `walkers(1)` written to files, the blanks of the
# predictions as commas, as two sequences of 40 frames: MotChallenge2DBox with BENCHMARK MOT15, its HOTA, CLEAR and
# Identity metrics, means over the 19 thresholds; "both" is its COMBINED_SEQ.
GOLDEN = {
    "0": {
        "HOTA": 37.954574, "DetA": 44.7171878, "AssA": 32.358683, "LocA": 77.4201426, "DetRe": 57.8673246,
        "DetPr": 56.3986107, "AssRe": 39.4044172, "AssPr": 58.9595189, "MOTA": 43.2291667, "MOTP": 73.2831071,
        "FP": 51, "FN": 46, "IDSW": 12, "Frag": 51, "MT": 1, "ML": 0, "GT": 6,
        "IDF1": 55.5269923, "IDP": 54.822335, "IDR": 56.25,
    },
    "1": {
        "HOTA": 40.2202437, "DetA": 48.0688836, "AssA": 33.7008135, "LocA": 78.0674438, "DetRe": 60.9137056,
        "DetPr": 59.1133005, "AssRe": 40.4117687, "AssPr": 58.9889992, "MOTA": 53.2994924, "MOTP": 73.9870801,
        "FP": 45, "FN": 39, "IDSW": 8, "Frag": 47, "MT": 3, "ML": 0, "GT": 6,
        "IDF1": 60.0, "IDP": 59.1133005, "IDR": 60.9137056,
    },
    "both": {
        "HOTA": 39.111856, "DetA": 46.3944694, "AssA": 33.0519349, "LocA": 77.7596724, "DetRe": 59.4100934,
        "DetPr": 57.7763158, "AssRe": 39.9462557, "AssPr": 58.7528077, "MOTA": 48.3290488, "MOTP": 73.6489878,
        "FP": 96, "FN": 85, "IDSW": 20, "Frag": 98, "MT": 4, "ML": 0, "GT": 12,
        "IDF1": 57.7946768, "IDP": 57.0, "IDR": 58.6118252,
    },
}  # fmt: skip


def read_walkers(folder: Path, seed: int) -> tuple[mot.MotTable, mot.MotTable]:
    truth, found = walkers(seed)
    (folder / "gt.txt").write_text(truth)
    (folder / "found.txt").write_text(found)
    return mot.read_mot(folder / "gt.txt"), mot.read_mot(folder / "found.txt")


def chain(a: mot.MotTable, b: mot.MotTable) -> mot.MotTable:
    """Two sequences as one, with frames and ids of their own."""
    later = mot.MotTable(b.frame + 1000, b.id + 1000, b.box, b.score)
    return mot.MotTable(*(np.concatenate([getattr(t, n) for t in (a, later)]) for n in ("frame", "id", "box", "score")))


def test_the_scores_are_those_of_trackeval(tmp_path):
    tables = [read_walkers(tmp_path, seed) for seed in (0, 1)]
    for name, (truth, found) in zip(("0", "1"), tables, strict=True):
        assert mot.score_mot(truth, found) == pytest.approx(GOLDEN[name], abs=1e-6)
    both = [chain(*side) for side in zip(*tables, strict=True)]
    assert mot.score_mot(*both) == pytest.approx(GOLDEN["both"], abs=1e-6)


def test_the_order_of_the_lines_does_not_matter(tmp_path):
    truth, found = read_walkers(tmp_path, 0)
    scores = mot.score_mot(truth, found)
    for name in ("gt.txt", "found.txt"):
        lines = (tmp_path / name).read_text().splitlines()
        shuffled = [lines[i] for i in np.random.default_rng(0).permutation(len(lines))]
        (tmp_path / name).write_text("\r\n\r\n".join(shuffled))
    again = mot.score_mot(mot.read_mot(tmp_path / "gt.txt"), mot.read_mot(tmp_path / "found.txt"))
    assert again == pytest.approx(scores)


def test_read_mot_reads_columns(tmp_path):
    (tmp_path / "a.txt").write_text("2,5,1.5,2,30,40,0,-1,-1,-1\n1, 3, 10, 20, 30, 40, 0.75\n")
    table = mot.read_mot(tmp_path / "a.txt")
    assert (table.frame.tolist(), table.id.tolist(), table.score.tolist()) == ([1, 2], [3, 5], [0.75, 0])
    assert table.box.tolist() == [[10, 20, 30, 40], [1.5, 2, 30, 40]]
    (tmp_path / "empty.txt").write_text("")
    assert mot.read_mot(tmp_path / "empty.txt").box.shape == (0, 4)


def test_rows_marked_0_are_not_scored():
    frame, boxes = np.array([1, 1]), np.array([[10.0, 20, 30, 40], [110, 20, 30, 40]])
    truth = mot.MotTable(frame, np.array([1, 2]), boxes, np.array([1.0, 0]))
    scores = mot.score_mot(truth, mot.MotTable(frame, np.array([5, 6]), boxes, np.array([0.0, 0])))
    assert (scores["GT"], scores["FP"], scores["FN"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3,4,5,6", "7 columns"),
        ("frame,id,x,y,w,h,conf", "expected numbers"),
        ("1,2,,4,5,6,1", "expected numbers"),
        ("1,2,nan,4,5,6,1", "finite"),
        ("0,2,3,4,5,6,1", "whole frame from 1"),
        ("1,2.5,3,4,5,6,1", "whole id"),
        ("9,1,3,4,5,6,1", "also in line 1"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, message):
    path = tmp_path / "a.txt"
    path.write_text(f"9,1,0,0,5,5,1\n{line}\n")
    with pytest.raises(PoselineError, match=message) as error:
        mot.read_mot(path)
    assert str(error.value).startswith(f"{path}: line 2: ")
    assert "\n" not in str(error.value)


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\x80")
    for path in (tmp_path / "missing.txt", tmp_path, tmp_path / "a.txt"):
        with pytest.raises(PoselineError, match=str(path)):
            mot.read_mot(path)


BODY = np.stack([np.arange(17) % 4 * 20, np.arange(17) * 10], 1).astype(float)


def pose(image: int, track: int | None, x: float = 0.0, seen: int = 17, **extra) -> dict:
    """An annotation of a person ``x`` px to the right whose first ``seen`` points are labelled."""
    points = np.c_[BODY + np.array([x, 0]), 2 * (np.arange(17) < seen)]
    ann = {"image_id": image, "category_id": 1, "track_id": track, "keypoints": points.ravel().tolist()}
    return {**ann, "bbox": [x, 0, 60, 160], "area": 5000.0, "iscrowd": 0, **extra}


def video(people: list[dict], images: int = 4, **extra) -> dict:
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO17.names)}]
    annotations = [{"id": i, **p} for i, p in enumerate(people, 1)]
    return {"images": [{"id": i, **extra} for i in range(images)], "categories": categories, "annotations": annotations}


def score_poses(truth: dict, found: list[dict]) -> dict:
    gt = mot.read_pose_tracks(truth)
    return mot.score_pose_tracks(gt, mot.read_pose_tracks(found, truth=gt))


def test_poses_tracked_perfectly_score_100_and_a_switch_is_counted():
    people = [pose(t, who, 300 * who) for t in range(4) for who in (1, 2)]
    assert score_poses(video(people), people)["HOTA"] == pytest.approx(100)
    switched = [{**p, "track_id": 9} if p["track_id"] == 2 and p["image_id"] >= 2 else p for p in people]
    scores = score_poses(video(people), switched)
    assert (scores["IDSW"], scores["MOTA"], scores["IDF1"]) == (1, pytest.approx(100 * 7 / 8), pytest.approx(75))


def test_pose_similarity_is_oks_over_the_points_labelled_in_the_truth():
    truth = [pose(t, 1, seen=9) for t in range(4)]
    found = [pose(t, 5, seen=0) for t in range(4)]  # visibilities of predictions do not matter …
    for p in found:
        p["keypoints"][9 * 3 :] = [0.0] * 24  # … nor do points that nobody labelled
        p["keypoints"][0] += 20
    oks = (8 + math.exp(-(20**2) / (2 * 5000 * (2 * COCO17.sigmas[0]) ** 2))) / 9
    assert score_poses(video(truth), found)["MOTP"] == pytest.approx(100 * oks)


def test_images_are_in_the_order_of_their_frame_ids():
    people = [pose(t, 1) for t in range(4)]
    truth = video(people)
    found = [pose(t, 5 if t < 2 else 6) for t in range(4)]
    assert score_poses(truth, found)["IDSW"] == 1
    for image, place in zip(truth["images"], (0, 2, 1, 3), strict=True):
        image["frame_id"] = place
    assert mot.read_pose_tracks(truth).images == [0, 2, 1, 3]
    assert score_poses(truth, found)["IDSW"] == 3


def test_what_need_not_be_found_is_no_false_alarm():
    people = [pose(t, 1) for t in range(4)]
    crowd = [pose(0, 1, 600, iscrowd=1), pose(0, None, 650, iscrowd=1), pose(1, 2, 600, seen=0)]
    truth = video(people + crowd, images=5)
    truth["images"].append({"id": 9, "is_labeled": False})
    assert score_poses(truth, people)["HOTA"] == pytest.approx(100)  # they need not be found
    excused = [pose(0, 7, 600), pose(1, 7, 600), pose(9, 7, 600)]  # the last is in an image that nobody annotated
    assert score_poses(truth, people + excused)["HOTA"] == pytest.approx(100)
    assert score_poses(truth, [*people, pose(2, 7, 600), pose(0, 7, 300), pose(4, 7)])["FP"] == 3
    around = [{**ann, "bbox": [-100, -100, 900, 900]} if ann["iscrowd"] else ann for ann in truth["annotations"]]
    scores = score_poses({**truth, "annotations": around}, people)  # those who are found count, crowd or not
    assert (scores["FN"], scores["FP"], scores["GT"]) == (0, 0, 1)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([pose(0, None)], "annotation 1: expected a whole track_id"),
        ([pose(0, 3), pose(0, 3)], "annotation 2: track 3 is twice in image 0"),
        ([pose(99, 3)], "annotation 1: image_id 99"),
        ([{**pose(0, 3), "keypoints": [1, 2]}], "annotation 1: keypoints must be 51"),
    ],
)
def test_bad_pose_files_are_named(tmp_path, people, message):
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(video(people)))
    for truth in (None, mot.read_pose_tracks(video([pose(0, 1)]))):
        with pytest.raises(PoselineError) as error:
            mot.read_pose_tracks(path, truth=truth)
        assert str(error.value).startswith(f"{path}: {message}")


def test_other_pose_sources_are_refused():
    gt = mot.read_pose_tracks(video([pose(0, 1)]))
    foreign = [pose(0, 1, category_id=5)]
    for source, truth in (({"a": 1}, None), ([], None), ({"a": 1}, gt), ([1], gt), (foreign, gt)):
        with pytest.raises(PoselineError):
            mot.read_pose_tracks(source, truth=truth)
    with pytest.raises(PoselineError, match="not the truth's"):
        mot.score_pose_tracks(gt, mot.read_pose_tracks(video([pose(0, 1)], images=2)))


CLASSES = (1, 2, 3, 6, 7, 8, 12, 13)  # who stands at 100 px times their place here; only pedestrians have the flag


def classed(folder: Path) -> tuple[mot.MotTable, mot.MotTable]:
    """Truth of MOT16 and later with somebody of each class, and a prediction that finds them all and one more."""
    truth = [f"{f},{i},{100 * i},50,40,100,{int(c == 1)},{c},1" for f in (1, 2, 3) for i, c in enumerate(CLASSES)]
    found = [f"{f},{i + 50},{100 * i + 4},50,40,100,0.9,-1,-1,-1" for f in (1, 2, 3) for i in range(len(CLASSES) + 1)]
    (folder / "gt.txt").write_text("\n".join(truth))
    (folder / "pred.txt").write_text("\n".join(found))
    return mot.read_mot(folder / "gt.txt"), mot.read_mot(folder / "pred.txt")


@pytest.mark.parametrize(
    ("rules", "false_alarms"), [("auto", 4), ("mot16", 4), ("mot17", 4), ("mot20", 3), ("mot15", 8)]
)
def test_predictions_on_people_who_are_no_pedestrians_do_not_count(rules, false_alarms, tmp_path):
    scores = mot.score_mot(*classed(tmp_path), rules)  # on a car, a vehicle, a crowd, and on nobody
    assert (scores["FP"], scores["FN"]) == (3 * false_alarms, 0)


def test_a_pedestrian_beside_somebody_who_rides_is_found(tmp_path):
    (tmp_path / "gt.txt").write_text("1,1,100,50,40,100,1,1,1\n1,2,110,50,40,100,0,2,1\n")
    (tmp_path / "pred.txt").write_text("1,7,101,50,40,100,1,-1,-1,-1\n")
    scores = mot.score_mot(mot.read_mot(tmp_path / "gt.txt"), mot.read_mot(tmp_path / "pred.txt"))
    assert (scores["FP"], scores["FN"]) == (0, 0)


def test_classes_that_the_truth_does_not_have_are_refused(tmp_path):
    (tmp_path / "gt.txt").write_text("1,1,100,50,40,100,1,-1,-1,-1\n")
    truth = mot.read_mot(tmp_path / "gt.txt")
    assert mot.benchmark_of(truth) == "mot15"
    with pytest.raises(PoselineError, match="no classes"):
        mot.benchmark_of(truth, "mot17")
    with pytest.raises(PoselineError, match="no such rules"):
        mot.benchmark_of(truth, "mot99")
