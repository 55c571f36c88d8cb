"""Keypoint sets: pairs, what is tracked, and the way through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.core.skeleton import BLAZEPOSE33, COCO17, SKELETONS, Skeleton, mapping

ANIMAL = Skeleton("animal", ("L_Eye", "R_Eye", "Nose"), ((0, 2), (1, 2)), (0.02, 0.03, 0.04), ((0, 1),))


def whole_body(extra: int = 40) -> Skeleton:
    """The COCO body with many points of hands and face behind it."""
    names = COCO17.names + tuple(f"face_{i}" for i in range(extra))
    return Skeleton("whole", names, COCO17.limbs, COCO17.sigmas + (0.01,) * extra)


@pytest.mark.parametrize("skeleton", [*SKELETONS.values(), ANIMAL], ids=lambda s: s.name)
def test_a_set_comes_back_from_json_whole(skeleton):
    back = Skeleton.from_spec(json.loads(json.dumps(skeleton.spec())))
    assert (back.name, back.names, back.limbs, back.sigmas) == (
        skeleton.name,
        skeleton.names,
        skeleton.limbs,
        skeleton.sigmas,
    )
    assert back.pairs == skeleton.pairs
    assert [back.side(k) for k in range(len(back))] == [skeleton.side(k) for k in range(len(back))]
    np.testing.assert_array_equal(back.flip, skeleton.flip)


def test_pairs_are_found_by_name_or_given():
    assert COCO17.pairs[0] == (COCO17.index("left_eye"), COCO17.index("right_eye"))
    assert len(COCO17.pairs) == 8
    assert ANIMAL.pairs == ((0, 1),)
    assert [ANIMAL.side(k) for k in range(3)] == [-1, 1, 0]
    assert ANIMAL.flip.tolist() == [1, 0, 2]


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_flipping_twice_changes_nothing_and_limbs_stay_limbs(skeleton):
    np.testing.assert_array_equal(skeleton.flip[skeleton.flip], np.arange(len(skeleton)))
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert {frozenset(skeleton.flip[list(limb)].tolist()) for limb in skeleton.limbs} == limbs


def test_a_whole_body_is_tracked_by_its_body():
    skeleton = whole_body()
    assert [skeleton.names[k] for k in skeleton.tracked] == list(COCO17.names)
    for other in (COCO17, BLAZEPOSE33, ANIMAL):
        assert other.tracked.tolist() == list(range(len(other)))
    hands = Skeleton("hands", tuple(f"left_hand_{i}" for i in range(42)), (), (0.03,) * 42)
    assert len(hands.tracked) == 42


def test_a_set_that_contradicts_itself_is_an_error():
    with pytest.raises(ValueError, match="2 names but 1 sigmas"):
        Skeleton("x", ("a", "b"), (), (0.1,))
    with pytest.raises(ValueError, match="names must differ"):
        Skeleton("x", ("a", "a"), (), (0.1, 0.1))
    with pytest.raises(KeyError):
        Skeleton.from_spec({"name": "x"})


def test_mapping_goes_by_name():
    columns = mapping(BLAZEPOSE33, COCO17)
    assert [BLAZEPOSE33.names[c] for c in columns] == list(COCO17.names)
    assert mapping(ANIMAL, COCO17).tolist() == [-1] * 17
