"""What of the settings of a stream is stored."""

from __future__ import annotations

from pipeline.core.config import Config
from pipeline.live.source import without_secrets


def test_options_that_may_hold_secrets_are_stored_without_their_values() -> None:
    given = {"rtsp_transport": "udp", "headers": "Authorization: Basic abc", "http_proxy": "http://me:word@host"}
    config = Config.model_validate({"live": {"options": given}})
    stored = without_secrets(config)
    assert stored.live.options == {"rtsp_transport": "udp", "headers": "…", "http_proxy": "…"}
    assert config.live.options == given  # the receiver gets all of it
