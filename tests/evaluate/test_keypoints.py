"""OKS average precision and PCK: known answers, pycocotools driven directly, and properties."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PoselineError
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17
from pipeline.evaluate import keypoints as kp

pytest.importorskip("pycocotools")
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

AREA = 160.0 * 80.0  # a large person
BODY = np.array(
    [(30, 5), (33, 2), (27, 2), (36, 4), (24, 4), (45, 25), (15, 25), (55, 50), (5, 50), (60, 70), (0, 70), (40, 75),
     (20, 75), (42, 115), (18, 115), (43, 155), (17, 155)], float,
)  # fmt: skip


def person(image_id: int, x: float = 0.0, y: float = 0.0, scale: float = 1.0, **extra) -> dict:
    """A COCO annotation of a standing person, all points visible."""
    points = np.c_[BODY * scale + (x, y), np.full(17, 2.0)]
    box = [x, y, 60.0 * scale, 160.0 * scale]
    ann = {"image_id": image_id, "category_id": 1, "keypoints": points.ravel().tolist(), "num_keypoints": 17}
    return {**ann, "bbox": box, "area": AREA * scale**2, "iscrowd": 0, **extra}


def dataset(people: list[dict], images: int = 1, names=COCO17.names) -> dict:
    """COCO annotations of ``people`` in images 1 … ``images``."""
    annotations = [{**p, "id": i} for i, p in enumerate(people, 1)]
    categories = [{"id": 1, "name": "person", "keypoints": list(names)}]
    return {"images": [{"id": i + 1} for i in range(images)], "annotations": annotations, "categories": categories}


def predict(ann: dict, shift_px=0.0, score: float = 0.9) -> dict:
    """A result with the points of ``ann`` moved right by ``shift_px`` (a number or one per point)."""
    points = np.array(ann["keypoints"]).reshape(-1, 3)
    points[:, 0] += shift_px
    return {"image_id": ann["image_id"], "category_id": 1, "keypoints": points.ravel().tolist(), "score": score}


def random_case(seed: int, images: int = 12) -> tuple[dict, list[dict]]:
    """People of two sizes, some crowds, some missed, with jittered, doubled and false predictions."""
    rng = np.random.default_rng(seed)
    people, results = [], []
    for image in range(1, images + 1):
        for _ in range(rng.integers(0, 4)):
            ann = person(image, *rng.uniform(0, 300, 2), scale=rng.choice([0.4, 1.0]), iscrowd=int(rng.random() < 0.1))
            people.append(ann)
            for _ in range(rng.choice([0, 1, 2], p=[0.15, 0.7, 0.15])):
                results.append(predict(ann, rng.normal(0, rng.uniform(0, 14), 17), float(rng.random())))
        if rng.random() < 0.5:
            results.append(predict(person(image, *rng.uniform(0, 600, 2)), score=float(rng.random())))
    return dataset(people, images), results


def reference(gt: dict, results: list[dict]) -> np.ndarray:
    """The ten numbers of pycocotools, used as its authors do."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(gt)
        truth.createIndex()
        evaluator = COCOeval(truth, truth.loadRes(copy.deepcopy(results)), "keypoints")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return np.where(evaluator.stats < 0, np.nan, evaluator.stats)


def matches_of(gt: dict, results: list[dict]) -> kp.Matches:
    truth = kp.read_truth(gt)
    found = kp._read_results(results, truth)
    return kp.collect_matches(kp._evaluate(truth, found, truth.images, np.array(COCO17.sigmas)))


def test_perfect_predictions_score_one():
    people = [person(1), person(1, 200), person(2, scale=0.4)]
    scores = kp.score_keypoints(dataset(people, 2), [predict(p) for p in people], bootstrap=20)
    assert all(scores[key] == pytest.approx(1) for key in (*kp.STATS, "PCK"))
    assert scores["AP_interval"] == pytest.approx([1, 1])
    assert (scores["images"], scores["people"]) == (2, 3)


@pytest.mark.parametrize(("oks", "ap"), [(0.52, 0.1), (0.72, 0.5), (0.93, 0.9), (0.4, 0.0)])
def test_a_shift_of_known_oks_passes_the_thresholds_below_it(oks, ap):
    shift = 2 * np.array(COCO17.sigmas) * math.sqrt(-2 * AREA * math.log(oks))
    scores = kp.score_keypoints(dataset([person(1)]), [predict(person(1), shift)], bootstrap=0)
    assert scores["AP"] == pytest.approx(ap)
    assert scores["AR"] == pytest.approx(ap)
    assert scores["AP50"] == pytest.approx(1 if oks > 0.5 else 0)


def test_a_prediction_in_a_crowd_is_no_false_alarm():
    crowd = person(1, 300, iscrowd=1, keypoints=[0] * 51, num_keypoints=0)
    results = [predict(person(1), score=0.5), predict(person(1, 300), score=0.9)]
    with_crowd = kp.score_keypoints(dataset([person(1), crowd]), results, bootstrap=0)
    without = kp.score_keypoints(dataset([person(1)]), results, bootstrap=0)
    assert with_crowd["AP"] == pytest.approx(1)
    assert with_crowd["people"] == 1
    assert without["AP"] == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(4))
def test_equals_pycocotools_driven_directly(seed):
    gt, results = random_case(seed)
    scores = kp.score_keypoints(gt, results, bootstrap=0)
    np.testing.assert_allclose([scores[key] for key in kp.STATS], reference(gt, results), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_accumulation_with_equal_weights_is_pycocotools(seed):
    gt, results = random_case(seed, images=30)
    matches = matches_of(gt, results)
    assert kp.average_precision(matches, np.ones(30)) == pytest.approx(reference(gt, results)[0], abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_weight_is_a_number_of_copies(seed):
    gt, results = random_case(seed, images=6)
    weights = np.random.default_rng(seed).integers(0, 4, 6)
    copies = [(image, n) for image, w in zip(range(1, 7), weights, strict=True) for n in range(w)]
    people = [
        {**a, "image_id": i} for i, (k, _) in enumerate(copies, 1) for a in gt["annotations"] if a["image_id"] == k
    ]
    again = [{**r, "image_id": i} for i, (k, _) in enumerate(copies, 1) for r in results if r["image_id"] == k]
    expected = reference(dataset(people, len(copies)), again)[0]
    assert kp.average_precision(matches_of(gt, results), weights) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), power=st.floats(0.3, 3.0))
def test_only_the_order_of_the_scores_counts(seed, power):
    gt, results = random_case(seed, images=5)
    bent = [{**r, "score": r["score"] ** power} for r in results]
    before, after = (kp.score_keypoints(gt, r, bootstrap=0) for r in (results, bent))
    assert before["AP"] == pytest.approx(after["AP"], nan_ok=True)
    assert math.isnan(before["AP"]) or 0 <= before["AP"] <= before["AP50"] + 1e-12 <= 1 + 2e-12


def test_the_interval_is_repeatable_and_holds_the_score():
    gt, results = random_case(3, images=60)
    first, again, other = (kp.score_keypoints(gt, results, bootstrap=200, seed=s) for s in (1, 1, 2))
    low, high = first["AP_interval"]
    assert 0 <= low < first["AP"] < high <= 1
    assert first["AP_interval"] == again["AP_interval"] != other["AP_interval"]


def test_image_ids_restrict_the_scoring():
    gt, results = random_case(1)
    part = {**gt, "annotations": [a for a in gt["annotations"] if a["image_id"] <= 5], "images": gt["images"][:5]}
    expected = reference(part, [r for r in results if r["image_id"] <= 5])
    scores = kp.score_keypoints(gt, results, image_ids=range(1, 6), bootstrap=0)
    np.testing.assert_allclose([scores[key] for key in kp.STATS], expected, atol=1e-12)
    assert scores["images"] == 5


def test_pck_counts_points_within_a_fifth_of_the_torso():
    torso = math.dist(BODY[5], BODY[12])
    shift = np.zeros(17)
    shift[11:17] = [0.19 * torso, 0.21 * torso, 0, 0, 0, 0]
    scores = kp.score_keypoints(dataset([person(1)]), [predict(person(1), shift)], bootstrap=0)
    assert scores["PCK"] == pytest.approx(16 / 17)


def test_pck_takes_the_box_where_the_set_has_no_torso():
    gt = dataset([person(1)], names=[f"point_{i}" for i in range(17)])
    shift = np.zeros(17)
    shift[9:11] = 0.19 * 160, 0.21 * 160
    scores = kp.score_keypoints(gt, [predict(person(1), shift)], bootstrap=0)
    assert scores["PCK"] == pytest.approx(16 / 17)


def test_nothing_found_is_zero_and_nobody_there_is_nan():
    nothing = kp.score_keypoints(dataset([person(1)]), [], bootstrap=5)
    assert (nothing["AP"], nothing["AR"], nothing["AP_interval"]) == (0, 0, [0, 0])
    assert math.isnan(nothing["PCK"])
    nobody = kp.score_keypoints(dataset([], 2), [predict(person(1))], bootstrap=5)
    assert all(math.isnan(nobody[key]) for key in (*kp.STATS, "PCK"))


def test_an_annotation_with_id_zero_counts():
    gt = dataset([person(1)])
    gt["annotations"][0]["id"] = 0
    assert kp.score_keypoints(gt, [predict(person(1))], bootstrap=0)["AP"] == pytest.approx(1)


def test_a_missing_area_is_taken_from_the_box():
    bare, full = person(1), person(1, area=0.53 * 60 * 160)
    del bare["area"]
    shift = np.linspace(-9, 9, 17)
    scores = [kp.score_keypoints(dataset([p]), [predict(p, shift)], bootstrap=0) for p in (bare, full)]
    assert scores[0]["AP"] == scores[1]["AP"] not in (0, 1)


def test_sigmas_by_name_by_category_or_given():
    names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip", "head", "neck")
    ann = person(1, keypoints=np.array(person(1)["keypoints"]).reshape(17, 3)[[5, 6, 11, 12, 0, 0]].ravel().tolist())
    gt, moved = dataset([ann], names=names), [predict(ann, 12.0)]
    by_name = kp.score_keypoints(gt, moved, bootstrap=0)["AP"]
    assert (
        by_name == kp.score_keypoints(gt, moved, bootstrap=0, sigmas=[0.079, 0.079, 0.107, 0.107, 0.079, 0.079])["AP"]
    )
    gt["categories"][0]["sigmas"] = [0.005] * 6
    assert by_name > kp.score_keypoints(gt, moved, bootstrap=0)["AP"] == 0


def test_sigmas_of_a_whole_set_are_its_own():
    def sigmas(names: tuple[str, ...]) -> list[float]:
        return kp.oks_sigmas(kp.KeypointTruth("gt", [], {1}, {"keypoints": list(names)}, len(names), {}), None).tolist()

    assert sigmas(HALPE26.names) == list(HALPE26.sigmas)
    assert sigmas(("left_big_toe", "nose", "neck")) == [0.079, 0.026, 0.079]


def test_files_and_values_give_the_same_in_silence(tmp_path, capsys):
    gt, results = random_case(0)
    kept = copy.deepcopy((gt, results))
    (tmp_path / "gt.json").write_text(json.dumps(gt))
    (tmp_path / "dt.json").write_text(json.dumps(results))
    by_file = kp.score_keypoints(tmp_path / "gt.json", tmp_path / "dt.json", bootstrap=10)
    assert by_file == kp.score_keypoints(gt, results, bootstrap=10)
    assert (gt, results) == kept
    assert capsys.readouterr().out == ""


def _without(key: str) -> dict:
    return {k: v for k, v in predict(person(1)).items() if k != key}


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([{**predict(person(1)), "image_id": 7}], "result 0: image_id 7 is not in"),
        ([{**predict(person(1)), "category_id": 3}], "category_id 3 is not in"),
        ([{**predict(person(1)), "keypoints": [1.0] * 50}], "51 finite numbers .* got 50 values"),
        ([{**predict(person(1)), "keypoints": [float("nan")] * 51}], "51 finite numbers"),
        ([_without("keypoints")], "got NoneType"),
        ([_without("score")], "score must be a finite number"),
        ({"results": []}, "expected a list of results"),
    ],
)
def test_bad_results_are_refused(results, message):
    with pytest.raises(PoselineError, match=message):
        kp.score_keypoints(dataset([person(1)]), results)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "gt.json: not JSON"),
        ("[]", "gt.json: not COCO keypoint annotations; expected lists images"),
        ('{"images": [{}], "annotations": [], "categories": []}', "lacks or misuses 'id'"),
        (json.dumps(dataset([person(1)], names=("a", "b"))), "annotation 1: keypoints must be 6 finite numbers"),
        (json.dumps(dataset([person(1, keypoints=[1, 1, 2])], names=("tail",))), "no OKS sigmas are known for its 1"),
        (json.dumps(dataset([], 0)), "no images to score"),
    ],
)
def test_bad_ground_truth_is_refused(tmp_path, text, message):
    path = tmp_path / "gt.json"
    path.write_text(text)
    with pytest.raises(PoselineError, match=message) as caught:
        kp.score_keypoints(path, [])
    assert "\n" not in str(caught.value)


def test_unknown_images_and_missing_files_are_refused(tmp_path):
    with pytest.raises(PoselineError, match="has no image 9"):
        kp.score_keypoints(dataset([person(1)]), [], image_ids=[1, 9])
    with pytest.raises(PoselineError, match="cannot be read"):
        kp.score_keypoints(tmp_path / "none.json", [])


def test_a_missing_pycocotools_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(PoselineError, match=r"pip install poseline\[eval\]"):
        kp.score_keypoints(dataset([person(1)]), [])


def test_truth_whose_areas_are_all_0_is_said_and_scored_as_pycocotools_does():
    people = [person(1), person(1, x=200)]
    results = [predict(p, 2.0) for p in people]
    truth = kp.read_truth(dataset([{**p, "area": 0} for p in people]), "a.json")
    assert [note for note in truth.notes if "a.json: the areas of all its people are 0" in note]
    scores = kp.score_keypoints(dataset([{**p, "area": 0} for p in people]), results)
    assert scores["AP"] == 0.0
    without = [{k: v for k, v in p.items() if k != "area"} for p in people]
    assert kp.score_keypoints(dataset(without), results)["AP"] > 0.9
    some = dataset([people[0], {**people[1], "area": 0}])
    assert kp.read_truth(some, "a.json").notes == ()  # one without an area is as pycocotools has it


def test_json_holds_null_and_no_nan(tmp_path, capsys):
    people = [person(1)]
    for name, content in (("gt.json", dataset(people)), ("pred.json", [predict(people[0])])):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    from pipeline.cli.app import app

    app(
        ["eval", "keypoints", "--gt", str(tmp_path / "gt.json"), "--pred", str(tmp_path / "pred.json"), "--json"],
        standalone_mode=False,
    )

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    scores = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert scores["APM"] is None
    assert scores["AP"] > 0.999
