"""Stand-ins: used where the real piece is missing or broken, and there only."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from pipeline.core.errors import PoselineError
from pipeline.models.detections import suppress
from pipeline.models.openmm import compat, installed


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Puts a package of a given source before the real one, which is put back afterwards."""

    def put(name: str, sources: dict[str, str]) -> None:
        for module in [n for n in sys.modules if n.split(".")[0] == name]:
            monkeypatch.delitem(sys.modules, module)
        for file, text in sources.items():
            path = tmp_path / name / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    compat.ensure()
    before = dict(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield put
    for name in set(sys.modules) - set(before):
        del sys.modules[name]
    sys.modules.update(before)


def test_what_is_what_is_said():
    pieces = compat.ensure()
    assert compat.ensure() is pieces
    assert set(pieces) == {"pkg_resources", "torchvision", "mmcv operators", "xtcocotools"}
    assert all(state.split()[0].rstrip(":,") in ("real", "stand-in", "alias") for state in pieces.values())


@pytest.mark.parametrize("reason", ["raise RuntimeError('operator torchvision::nms does not exist')", "import gone"])
def test_a_torchvision_that_does_not_import_has_a_stand_in(packages, reason):
    packages("torchvision", {"__init__.py": reason})
    assert compat._torchvision().startswith("stand-in")
    import torchvision.ops.boxes
    from torchvision.transforms import ToPILImage

    with pytest.raises(compat.MissingOperatorError, match=r"needs torchvision.transforms.ToPILImage: install"):
        ToPILImage()
    with pytest.raises(compat.MissingOperatorError, match=r"needs torchvision.ops.boxes.nms: install"):
        torchvision.ops.boxes.nms()


def test_a_torchvision_that_imports_is_left_alone(packages):
    packages("torchvision", {"__init__.py": "__version__ = '9.8'"})
    assert compat._torchvision() == "real 9.8"
    assert sys.modules["torchvision"].__file__


@pytest.mark.parametrize("reason", ["raise ValueError('numpy.dtype size changed')", "import gone"])
def test_xtcocotools_that_do_not_import_are_pycocotools(packages, reason):
    packages("xtcocotools", {"__init__.py": "", "mask.py": reason})
    assert compat._xtcocotools().startswith("alias of pycocotools 2")
    import pycocotools.coco
    from xtcocotools.coco import COCO

    assert COCO is pycocotools.coco.COCO


def test_xtcocotools_that_import_are_left_alone(packages):
    packages("xtcocotools", {"__init__.py": "", "mask.py": ""})
    assert compat._xtcocotools().startswith("real")


def test_compiled_operators_are_left_alone(monkeypatch):
    import mmcv

    compiled = ModuleType("mmcv._ext")
    monkeypatch.setitem(sys.modules, "mmcv._ext", compiled)
    assert compat._mmcv_operators() == f"real, of mmcv {mmcv.__version__}"
    assert sys.modules["mmcv._ext"] is compiled


def test_an_operator_that_is_not_there_says_so_when_it_is_called():
    if not compat.ensure()["mmcv operators"].startswith("stand-in"):
        pytest.skip("the compiled mmcv is installed")
    import mmcv._ext

    with pytest.raises(compat.MissingOperatorError, match=r"needs mmcv._ext.carafe_forward: install mmcv 2.1.0"):
        mmcv._ext.carafe_forward()


def test_missing_packages_are_one_line(monkeypatch):
    monkeypatch.setattr(compat, "NEEDED", ("torch", "mmdet_of_nowhere", "mmpose_of_nowhere"))
    with pytest.raises(PoselineError, match=r"need mmdet_of_nowhere, mmpose_of_nowhere, .*make openmm") as error:
        compat.ensure.__wrapped__()
    assert "\n" not in str(error.value)


def test_packages_that_do_not_import_are_one_line(monkeypatch):
    def fails() -> str:
        raise AssertionError("MMCV==2.2.0 is used but incompatible.\nPlease install mmcv>=2.0.0rc4.")

    monkeypatch.setattr(compat, "_mmcv_operators", fails)
    with pytest.raises(PoselineError, match=r"do not import \(MMCV==2.2.0 is used .*make openmm") as error:
        compat.ensure.__wrapped__()
    assert "\n" not in str(error.value)


# --- suppression -----------------------------------------------------------------------------------------------------


def test_suppression_of_mmcv_goes_through():
    from mmcv.ops import batched_nms, nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]])
    kept, rows = nms(boxes, torch.tensor([0.8, 0.9, 0.3]), 0.5)
    assert rows.tolist() == [1, 2]
    np.testing.assert_allclose(kept[:, 4], [0.9, 0.3])
    _, rows = batched_nms(
        boxes, torch.tensor([0.8, 0.9, 0.3]), torch.tensor([0, 1, 0]), {"type": "nms", "iou_threshold": 0.5}
    )
    assert rows.tolist() == [1, 0, 2]


def test_our_suppression_is_greedy_and_breaks_ties_by_order():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (80, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (80, 2))], 1).astype(np.float32)
    scores = rng.uniform(0, 1, 80).astype(np.float32).round(1)
    kept = compat.nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4).tolist()
    assert kept == suppress(boxes, scores, 0.4).tolist()
    assert compat.nms(torch.zeros((0, 4)), torch.zeros(0), 0.4).tolist() == []


def test_suppression_may_count_pixels_inclusively():
    boxes = torch.tensor([[0.0, 0, 1, 1], [0, 1, 1, 2]])  # with offset 1 they share 2 of 6 pixels, else none
    scores = torch.tensor([0.9, 0.8])
    assert compat.nms(boxes, scores, 0.3).tolist() == [0, 1]
    assert compat.nms(boxes, scores, 0.3, offset=1).tolist() == [0]


# --- what doctor says ------------------------------------------------------------------------------------------------


def test_doctor_names_versions_and_stand_ins():
    lines = {what: (good, detail) for good, what, detail in installed.checks()}
    assert all(good for good, _ in lines.values())
    assert lines["mmpose"][1].startswith("mmpose 1.")
    assert lines["xtcocotools"][1] == compat.ensure()["xtcocotools"]


def test_doctor_has_one_line_where_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(compat, "missing", lambda: ["mmdet", "mmpose"])
    assert list(installed.checks()) == [
        (True, "openmm", "not installed; mmdet: and mmpose: networks need it: make openmm")
    ]


def test_doctor_says_what_does_not_work(monkeypatch):
    monkeypatch.setattr(compat, "missing", lambda: ["mmcv"])
    monkeypatch.setattr(installed, "_version", lambda name: "" if name.startswith("mmcv") else "1.0")

    def fails() -> dict[str, str]:
        raise PoselineError("the OpenMMLab packages do not import")

    monkeypatch.setattr(compat, "ensure", fails)
    bad = {what: detail for good, what, detail in installed.checks() if not good}
    assert set(bad) == {"mmcv", "openmm"}
    assert "make openmm" in bad["mmcv"]
