"""A run's edits.toml: the edits that users made of its people, applied at each tracking."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import PoselineError
from pipeline.core.texts import parse_toml, read_text
from pipeline.core.types import MEASURED
from pipeline.store.atomic import write_text
from pipeline.store.folder import RunFolder
from pipeline.store.index import read_index
from pipeline.store.parts import check_parts
from pipeline.store.people_table import people_rows
from pipeline.tracking.assemble import Surplus
from pipeline.tracking.edited import ROUNDING_S, People, apply
from pipeline.tracking.edits import PEOPLE_OF, Edit, RefusedError, Suspicion, anchors_of, check


def edits_file(folder: RunFolder) -> Path:
    """Where a run's edits are kept."""
    return folder.path / "edits.toml"


def load(folder: RunFolder) -> list[Edit]:
    """The edits in force, in order; PoselineError where the file is damaged."""
    path = edits_file(folder)
    if not path.is_file():
        return []
    try:
        content = parse_toml(read_text(path))
        if not set(content) <= {"edit"}:
            raise ValueError(f"unknown {', '.join(sorted(set(content) - {'edit'}))}")
        return [_from_table(table) for table in content.get("edit", [])]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        why = f"{type(error).__name__} {error}" if isinstance(error, KeyError) else str(error)
        raise PoselineError(f"{path}: damaged ({' '.join(why.split())}); mend it, or delete it to edit anew") from error


def _from_table(table: dict[str, Any]) -> Edit:
    people, frames = tuple(table.get("people", ())), tuple(table.get("frames", ()))
    if not all(type(i) is int for i in (*people, *frames)):
        raise ValueError("people and frames are whole numbers")
    boxes = tuple(tuple(float(v) for v in box) for box in table.get("boxes_px", ()))
    values = tuple(float(v) for v in table.get("values", ()))
    edit = Edit(table["kind"], people, str(table.get("text", "")), values, frames, boxes)
    if edit.kind not in PEOPLE_OF:
        raise ValueError(f"unknown kind {edit.kind!r}")
    check(edit)
    if not anchors_of(edit) == len(frames) == len(boxes) or any(len(box) != 4 for box in boxes):
        raise ValueError(f"{edit}: a frame and a box are wanted {anchors_of(edit)} times")
    return edit


def save(folder: RunFolder, edits: Sequence[Edit]) -> None:
    """Write edits.toml; without edits there is none."""
    if not edits:
        edits_file(folder).unlink(missing_ok=True)
        return
    lines = ["# Edits of poseline people, in order. A frame and the box seen there say who a person is."]
    for edit in edits:
        values = {key: value for key, value in asdict(edit).items() if key == "kind" or value}
        # JSON's strings, numbers and lists are TOML's.
        lines += ["", "[[edit]]", *(f"{key} = {json.dumps(v, ensure_ascii=False)}" for key, v in values.items())]
    write_text(edits_file(folder), "\n".join(lines) + "\n")


def digest(folder: RunFolder) -> str:
    """A digest of the edits in force; empty where there are none."""
    path = edits_file(folder)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""


class Identities(NamedTuple):
    """The person of each observation of a run, after the user's edits."""

    ids: np.ndarray  # (N,) i32 the person of each observation, -1 for nobody
    moments: list[Suspicion]  # where identity is in doubt
    names: dict[int, str]
    said: dict[str, Any]  # what run.json says of the edits
    teams: dict[int, str] | None = None  # the team of each person of whom the user says so
    surplus: Sequence[Surplus] = ()  # who was left out because the settings say how many people there are


def apply_stored(folder: RunFolder, ids: np.ndarray, moments: list[Suspicion], time_s: np.ndarray) -> Identities:
    """A run's edits of the people ``ids (N,)`` of all its observations.

    ``moments`` get the ids that their people have after the edits.
    """
    edits = load(folder)
    said: dict[str, Any] = {"edits": [str(edit) for edit in edits], "edits_digest": digest(folder)}
    said |= {"edits_skipped": [], "edits_dropped": []}
    if not edits:
        return Identities(ids, moments, {}, said | {"largest_id": int(ids.max(initial=0))})
    frame, box, score = _observed(folder)
    edited = apply(edits, ids, frame, box, time_s, score)
    told = [doubt for given in moments if (doubt := _after(given, ids, edited.ids, time_s[frame])) is not None]
    said |= {"edits_skipped": edited.warnings, "edits_dropped": edited.dropped, "largest_id": edited.largest}
    return Identities(edited.ids, sorted(told), edited.names, said, edited.teams)


def _after(doubt: Suspicion, ids: np.ndarray, edited: np.ndarray, time_s: np.ndarray) -> Suspicion | None:
    """The doubt with the people's ids after the edits; None where one of the two is gone, or both are one person now.

    ``ids`` and ``edited`` (N,) are the people of all observations before and after the edits, ``time_s`` (N,)
    the times of these.
    """
    own = edited[(ids == doubt.person) & (time_s >= doubt.time_s - ROUNDING_S)]
    if not len(own) or own[0] <= 0:
        return None
    if not doubt.other:
        return doubt._replace(person=int(own[0]))
    other = edited[(ids == doubt.other) & (time_s < doubt.time_s)]
    if not len(other) or other[-1] <= 0 or other[-1] == own[0]:
        return None
    return doubt._replace(person=int(own[0]), other=int(other[-1]))


def add(folder: RunFolder, wanted: Sequence[Edit]) -> list[str]:
    """Store edits of the people that the run's tables show; returns a line for each edit that says what it changes.

    Raises PoselineError, and stores nothing, where one of the edits cannot be made.
    """
    edits = load(folder)
    facts = folder.manifest()
    check_parts(folder, content=True)
    if facts.get("edits_digest", "") != digest(folder):
        raise PoselineError(f"{edits_file(folder)}: newer than the tables; run poseline track {folder.path} first")
    frame, box, score = _observed(folder)
    people = People(_tabled(folder), frame, box, read_index(folder)[1], facts.get("largest_id", 0), score)
    lines = []
    for edit in wanted:
        try:
            edit = people.anchored(edit)
            lines.append(people.perform(edit, list(edit.people) * (anchors_of(edit) // max(len(edit.people), 1))))
        except RefusedError as error:
            raise PoselineError(f"--{edit}: {error}") from None
        if edit not in edits[-1:]:  # the same name may be given twice, as after a killed run
            edits.append(edit)
    save(folder, edits)
    return lines


def undo(folder: RunFolder) -> Edit:
    """Take the last edit back; returns it."""
    edits = load(folder)
    if not edits:
        raise PoselineError(f"{folder.path}: has no edits that --undo could take back")
    save(folder, edits[:-1])
    return edits[-1]


def listing(folder: RunFolder) -> list[str]:
    """Lines of a table of the people, then the edits in force and which of them were skipped.

    First and last times are on the video's own clock, as --split takes them.
    """
    lines = [f"{'id':>5}{'first_s':>12}{'last_s':>12}{'duration_s':>12}{'frames':>9}  name"]
    for p in people_rows(folder):
        at = (
            ("first_video_time_s", "last_video_time_s") if "last_video_time_s" in p else ("first_time_s", "last_time_s")
        )
        seconds = (p[key] for key in (*at, "duration_s"))
        times = "".join(" " * 12 if s is None else f"{s:12.3f}" for s in seconds)
        frames = "" if p["frames_measured"] is None else p["frames_measured"]
        lines.append(f"{p['person_id']:>5}{times}{frames:>9}  {p['name']}".rstrip())
    facts = folder.manifest()
    dropped = dict(enumerate(facts.get("edits_dropped", []), 1))
    for number, edit in enumerate(load(folder), 1):
        lost = f" ({dropped[number]} dropped, where both were seen)" if dropped.get(number) else ""
        lines.append(f"edit {number}: {edit}{lost}")
    return lines + facts.get("edits_skipped", [])


def _observed(folder: RunFolder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frame (N,), box (N, 4) and score (N,) of all observations."""
    frames, boxes, scores = [np.zeros(0, np.int64)], [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
    for part in folder.parts():
        rows = _columns(part, "box_px", "score")
        frames.append(rows["frame"].to_numpy())
        boxes.append(_lists(rows["box_px"]))
        scores.append(rows["score"].to_numpy())
    return np.concatenate(frames), np.concatenate(boxes), np.concatenate(scores)


def _columns(part: Path, *names: str) -> pa.Table:
    """The frames and some other columns of an observation part."""
    try:
        return pq.read_table(part, columns=["frame", *names], page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise PoselineError(f"{part}: damaged observations; run poseline run on the video again") from error


def _tabled(folder: RunFolder) -> np.ndarray:
    """(N,) i32 person of each observation in tracks.parquet, whose rows hold the observation's keypoints unchanged."""
    keys, people = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)]
    try:
        with pq.ParquetFile(folder.tracks, page_checksum_verification=True) as tracks:
            for batch in tracks.iter_batches(columns=["person_id", "frame", "keypoints_px", "state"]):
                rows = pa.Table.from_batches([batch])
                seen = rows["state"].to_numpy() == MEASURED
                keys.append(_keys(rows)[seen])
                people.append(rows["person_id"].to_numpy()[seen])
    except (OSError, pa.ArrowException) as error:
        raise PoselineError(f"{folder.tracks}: missing or damaged; run poseline track {folder.path}") from error
    key, person = np.concatenate(keys), np.concatenate(people)
    order = np.argsort(key)
    key, person = np.append(key[order], np.uint64(0)), np.append(person[order], np.int32(-1))
    ids = [np.zeros(0, np.int32)]
    for part in folder.parts():
        wanted = _keys(_columns(part, "keypoints_px"))
        at = np.searchsorted(key[:-1], wanted)
        ids.append(np.where(key[at] == wanted, person[at], -1).astype(np.int32))
    return np.concatenate(ids)


def _keys(rows: pa.Table) -> np.ndarray:
    """(N,) u64 keys that tell observations apart, made from the frame and the bits of the keypoints."""
    bits = np.ascontiguousarray(_lists(rows["keypoints_px"]), np.float32).view(np.uint32).astype(np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, bits.shape[1] + 1, np.uint64) * np.uint64(2) + np.uint64(1)
    return rows["frame"].to_numpy().astype(np.uint64) * factors[0] + bits @ factors[1:]


def _lists(column: pa.ChunkedArray) -> np.ndarray:
    """(N, size) values of a column of fixed-size lists."""
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
