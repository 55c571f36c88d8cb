"""Numbers with their nouns."""

from __future__ import annotations

from pipeline.core.progress import Lines
from pipeline.core.words import counted


def test_one_has_no_plural():
    assert [counted(n, "frame") for n in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
    assert [counted(n, "person", "people") for n in (1, 2)] == ["1 person", "2 people"]


def test_progress_counts_frames(capsys):
    progress = Lines()
    progress.start("observe", 1, 0)
    progress.advance(1)
    said = capsys.readouterr().err
    assert "observe: 1 frame\n" in said
    assert "1/1 frame," in said
