"""These tests need the OpenMMLab packages (make test-openmm installs them); without them none is collected."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.openmm import compat
from pipeline.models.runtime import Device, pick_device
from tests import laboratory

ABSENT = compat.missing()
collect_ignore_glob = ["test_*.py"] if ABSENT else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it at the end: the header is not shown with -q."""
    if ABSENT:
        terminalreporter.write_line(f"tests/openmm: NOT TESTED, for want of {', '.join(ABSENT)}: make test-openmm")


@pytest.fixture(scope="session")
def device() -> Device:
    return pick_device("cpu", 1)


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Two frames (2, 480, 272, 3) u8 RGB of the clip."""
    return laboratory.half_size(0, 33)
