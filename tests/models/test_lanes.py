"""Calls of a network side by side: the same bits in the same order, and errors that reach the caller."""

from __future__ import annotations

import threading
from dataclasses import fields

import numpy as np
import pytest

from pipeline.core.types import Frames
from pipeline.models.registry import build_models
from pipeline.models.runtime import Device, in_lanes, pick_device
from pipeline.observe.process import Chunk, process_chunk
from tests import laboratory

CPU = ("CPUExecutionProvider",)


def test_a_lane_has_its_share_of_the_threads():
    assert pick_device("cpu", 3).laned() == Device(CPU, 3, 3)
    assert Device(("CUDAExecutionProvider", *CPU), 3).laned().lanes == 1


def test_results_keep_the_order_of_the_tasks_and_tasks_run_at_once():
    both = threading.Barrier(2, timeout=10)

    def work(task: int) -> int:
        both.wait()  # raises where the other task does not run at the same time
        return task * task

    assert in_lanes(Device(CPU, 2, 2), work, range(6)) == [0, 1, 4, 9, 16, 25]
    assert in_lanes(Device(CPU, 2), lambda task: task * task, range(3)) == [0, 1, 4]


def test_an_error_in_a_lane_reaches_the_caller_and_the_lanes_go_on():
    device = Device(CPU, 2, 2)
    with pytest.raises(ZeroDivisionError):
        in_lanes(device, lambda task: 1 // task, [1, 0, 2, 3])
    assert in_lanes(device, lambda task: 6 // task, [1, 2, 3]) == [6, 3, 2]


def pictures(batch: int) -> list[Frames]:
    images = laboratory.half_size()
    numbers, times = np.arange(len(images)), np.arange(len(images)) / 60  # looked for in every third frame or so
    cut = range(0, len(images), batch)
    return [Frames(numbers[i : i + batch], times[i : i + batch], images[i : i + batch]) for i in cut]


@pytest.mark.parametrize("name", ["rtmpose-s", "wholebody"])
def test_observations_are_the_same_bits_with_any_lanes_and_batches(name):
    config = laboratory.config()
    config = config.model_copy(update={"pose": config.pose.model_copy(update={"name": name})})
    chunk = Chunk(0, 0, len(laboratory.half_size()))
    alone = process_chunk(pictures(len(laboratory.half_size())), chunk, build_models(config), config)
    assert len(alone.frame) > 2
    for threads, batch in ((2, 4), (3, 1)):
        with_threads = config.model_copy(update={"runtime": config.runtime.model_copy(update={"threads": threads})})
        models = build_models(with_threads, laned=True)
        assert models.laned
        lanes = process_chunk(pictures(batch), chunk, models, with_threads)
        for f in fields(alone):
            np.testing.assert_array_equal(getattr(lanes, f.name), getattr(alone, f.name), err_msg=f.name)
