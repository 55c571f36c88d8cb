"""Settings of the tests that run networks of the model zoo."""

from __future__ import annotations

from pipeline.core.config import Config, with_settings

RTMDET = "rtmdet_nano_320-8xb32_coco-person"
RTMPOSE = "rtmpose-t_8xb256-420e_coco-256x192"


def random_weights(*sets: str) -> Config:
    """Default settings, with networks that know nothing."""
    return with_settings(Config(), ["runtime.random_weights=0", "runtime.threads=1", *sets])
