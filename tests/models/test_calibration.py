"""What networks' scores mean: maps to probabilities and back, fits, networks with the embedded ones' scores."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17
from pipeline.models import calibrated, kept
from pipeline.models.calibration import KNOTS, ScoreMap, as_embedded, error, fitted, read
from pipeline.models.catalogue import catalogue
from pipeline.models.detections import Detections
from pipeline.models.registry import build_models, scores_of
from tests import stand_ins

OTHER = ScoreMap((0.01, 0.1, 0.5, 0.9, 0.99))
SCORES = np.linspace(0.001, 0.999, 400)


def test_a_calibration_rises_and_is_turned_round():
    for own in (OTHER, *calibrated.EMBEDDED.values()):
        stated = own.probability(SCORES)
        assert (np.diff(stated) > 0).all()
        assert stated[0] > 0
        assert stated[-1] < 1
        np.testing.assert_allclose(own.score(stated), SCORES, atol=1e-6)
        np.testing.assert_allclose(own.probability(np.array(KNOTS)), own.probability_at)


def test_scores_become_those_of_the_embedded_network_at_the_same_probability():
    embedded = calibrated.EMBEDDED["detector"]
    same = as_embedded(SCORES, OTHER, embedded)
    np.testing.assert_allclose(embedded.probability(same), OTHER.probability(SCORES), atol=1e-3)
    assert as_embedded(np.array([0.0]), OTHER, embedded) == 0  # not seen stays not seen
    np.testing.assert_allclose(as_embedded(SCORES, embedded, embedded), SCORES, atol=1e-6)


@pytest.mark.parametrize("told", [[0.1, 0.2], [0.1, 0.3, 0.2, 0.5, 0.6], [0, 0.1, 0.2, 0.3, 0.4], "x", None])
def test_what_is_no_calibration_is_refused(told):
    with pytest.raises(ValueError, match="calibration"):
        read(told)


def test_a_fit_finds_the_map_that_made_the_data():
    rng = np.random.default_rng(0)
    score = rng.uniform(0.02, 0.98, 6000)
    right = rng.random(6000) < OTHER.probability(score)
    found = fitted(score[::2], right[::2].astype(float), np.ones(3000))
    assert error(found.probability(score[1::2]), right[1::2]) < 0.03 < error(score, right)
    np.testing.assert_allclose(found.probability_at, OTHER.probability_at, atol=0.05)


def test_a_calibration_error_is_the_mean_distance_of_shares():
    assert error(np.array([0.25, 0.25, 0.75, 0.75]), np.array([0, 1, 1, 1])) == pytest.approx(0.25)
    assert error(np.zeros(0), np.zeros(0)) == 0


class Scored:
    """A detector and a pose network that give fixed scores."""

    sessions, skeleton = (), COCO17

    def detect(self, images):
        return Detections.from_boxes(np.zeros(3), np.tile([0, 0, 9, 9], (3, 1)), np.array([0.2, 0.5, 0.9]))


def test_a_detector_gets_embedded_scores_and_keeps_those_above_the_least():
    found = calibrated.detecting(Scored(), OTHER, None, 0.3).detect(np.zeros((1, 9, 9, 3), np.uint8))
    want = calibrated.EMBEDDED["detector"].score(np.array([0.5, 0.99]))
    np.testing.assert_allclose(found.score[0], want[0], atol=1e-5)
    assert len(found) == 2
    raw = calibrated.raw_score(OTHER, float(want[0]))
    assert raw == pytest.approx(0.5, abs=1e-4)
    embedded = Scored()
    assert calibrated.detecting(embedded, calibrated.EMBEDDED["detector"], None, 0.3) is embedded


def test_a_pose_network_gets_embedded_scores():
    models = stand_ins.models()
    people = models.detector.detect(stand_ins.frames(range(1))[0].image)
    raw = models.pose.estimate(stand_ins.frames(range(1))[0].image, people).score
    found = calibrated.posing(models.pose, OTHER).estimate(stand_ins.frames(range(1))[0].image, people).score
    np.testing.assert_allclose(calibrated.EMBEDDED["pose"].probability(found), OTHER.probability(raw), atol=1e-4)
    assert calibrated.posing(models.pose, None) is models.pose


def test_networks_of_the_package_have_their_own_scores():
    assert scores_of(Config()) == calibrated.EMBEDDED
    assert build_models(Config()).unknown == ()
    for name in ("wholebody", "hands", "face"):
        assert scores_of(Config.model_validate({"pose": {"name": name}}))["pose"] is calibrated.EMBEDDED["pose"]


def test_a_network_is_known_by_the_digest_of_its_file():
    """Names of files and paths say nothing."""
    nano = catalogue()["rtmdet-nano"]
    for digest in nano.digests:
        found = calibrated.known("detector", "onnx:x/y.onnx", {"y.onnx": digest[:16]})
        assert found is not None
        assert found.probability_at == nano.probability
    assert calibrated.known("pose", "onnx:x/y.onnx", {"y.onnx": next(iter(nano.digests))[:16]}) is None
    assert calibrated.known("detector", "onnx:x/y.onnx", {"y.onnx": "0" * 16}) is None


def test_every_calibration_of_the_catalogue_is_one():
    given = [network for network in catalogue().values() if network.probability]
    assert len(given) >= 6
    for network in given:
        ScoreMap(network.probability)


def test_what_the_user_measured_is_kept_and_counts_first(tmp_path, monkeypatch):
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path))
    digest = next(iter(catalogue()["rtmdet-nano"].digests))[:16]
    calibrated.keep({"a.onnx": digest}, {"detector": OTHER})
    calibrated.keep({"b.onnx": "12ab"}, {"pose": OTHER})
    for role, one in (("detector", digest), ("pose", "12ab")):
        found = calibrated.known(role, "onnx:any.onnx", {"any.onnx": one})
        assert found is not None
        assert found.probability_at == OTHER.probability_at
    (tmp_path / "calibrations.json").write_text('{"12ab": {"pose": [1, 2]}}', encoding="utf-8")
    with pytest.raises(PoselineError, match=r"calibrations\.json: these calibrations are damaged .*; delete the file"):
        calibrated.measured()
