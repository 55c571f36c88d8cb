"""The meaning of an unknown network's scores, estimated from pictures with the embedded networks beside it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.config import Config
from pipeline.engines import work
from pipeline.models import calibrated
from pipeline.models.calibration import ScoreMap, as_embedded
from pipeline.models.detections import Detections
from pipeline.models.graded import Graded
from pipeline.models.protocols import Detector, PoseNetwork
from pipeline.models.registry import Models, raw_models
from pipeline.observe.estimate import PICTURES, estimated
from tests import laboratory

MEANT = ScoreMap((0.01, 0.05, 0.2, 0.6, 0.95))  # what the unknown detector's scores mean
POINTS = ScoreMap((0.1, 0.4, 0.7, 0.8, 0.9))


class Shifted:
    """The embedded networks with other scores for the same probabilities."""

    def __init__(self, detector: Detector, pose: PoseNetwork) -> None:
        self.detector, self.pose = detector, pose
        self.sessions, self.skeleton = (), pose.skeleton

    def detect(self, images: np.ndarray) -> Detections:
        found = self.detector.detect(images)
        other = as_embedded(found.score, calibrated.EMBEDDED["detector"], MEANT)
        return Detections(found.image, found.box_px, other, found.keypoints_px, found.keypoint_score)

    def estimate(self, images, people):
        found = self.pose.estimate(images, people)
        return found._replace(score=as_embedded(found.score, calibrated.EMBEDDED["pose"], POINTS))


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return laboratory.half_size(0, 20, 40, 66)


def unknown() -> Models:
    shifted = Shifted(*raw_models(laboratory.config(), calibrated.LOWEST))
    finding = calibrated.detecting(shifted, None, None, 0.03)
    return Models(Graded(finding, 0.3), shifted, shifted.skeleton, None, ("detector", "pose"))


def test_scores_of_unknown_networks_come_near_those_of_the_embedded_ones(pictures):
    models, usual = estimated(unknown(), laboratory.config(), pictures), laboratory.models()
    assert models.unknown == ()
    people, same = usual.detector.detect(pictures), models.detector.detect(pictures)
    assert len(people) > 6
    raw = unknown().detector.detect(pictures)
    sure = people.score > 0.6
    assert abs(np.median(same.score[same.score > 0.6]) - np.median(people.score[sure])) < 0.1
    assert abs(len(same) - len(people)) <= abs(len(raw) - len(people)) + 1
    poses = [network.estimate(pictures, people).score for network in (usual.pose, models.pose, unknown().pose)]
    near, far = (np.abs(poses[0] - other).mean() for other in poses[1:])
    assert near < 0.5 * far


def test_estimates_are_the_same_for_every_worker(pictures):
    one, other = (estimated(unknown(), laboratory.config(), pictures).detector.detect(pictures) for _ in range(2))
    assert np.array_equal(one.score, other.score)


def test_of_other_classes_nothing_is_estimated(pictures):
    dogs = Config.model_validate({"detect": {"classes": ["dog"]}})
    models = unknown()
    assert estimated(models, dogs, pictures) is models


def test_the_networks_of_a_video_are_estimated_once(monkeypatch):
    asked = []
    monkeypatch.setattr(work, "build_models", lambda config, laned: unknown())
    monkeypatch.setattr(work, "estimated", lambda models, config, some: asked.append(len(some)) or models)
    networks = work.Networks(laboratory.config())
    assert networks.of(laboratory.clip()) is networks.of(laboratory.clip())
    assert asked == [PICTURES]


def test_pictures_without_people_leave_scores_near_their_own():
    grey = np.full((2, 120, 160, 3), 128, np.uint8)
    models = estimated(unknown(), laboratory.config(), grey)
    own = models.detector.network._own
    embedded = calibrated.EMBEDDED["detector"]
    np.testing.assert_allclose(
        own.probability(np.array([0.5, 0.7])), embedded.probability(np.array([0.5, 0.7])), atol=0.1
    )
