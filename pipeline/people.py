"""From observations to people: assign ids, then build and write one person after another, streaming from disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.config import Config
from pipeline.core.homography import poses, similarities, travels
from pipeline.core.shots import SHOT_COLUMNS, told_shots
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion, VideoInfo
from pipeline.lift.lifter import PoselineLifter
from pipeline.lift.placed import in_world
from pipeline.lift.protocol import Lifter
from pipeline.lift.timed import TimedLifter, Watched
from pipeline.lift.world import World
from pipeline.measure.course import course_of
from pipeline.measure.cycle_tables import write_cycles
from pipeline.measure.heat import Heat
from pipeline.measure.jumps import JUMP_COLUMNS
from pipeline.measure.measure import NO_METRES, measure
from pipeline.measure.players import PLAYER_COLUMNS, player_row
from pipeline.measure.quality import QUALITY_COLUMNS
from pipeline.measure.real_time import beside_video, doubts_of, span_in_video, step_columns, steps_in_video, time_facts
from pipeline.measure.rolling import rolling_warning
from pipeline.measure.stature import Stature, stature, stature_warnings
from pipeline.measure.summary import also_warned, person_summary
from pipeline.measure.tempo import Tempo, tempo, tempo_warnings
from pipeline.measure.vertical import roll_warnings
from pipeline.motion.gather import by_person
from pipeline.motion.per_shot import apart, in_time
from pipeline.motion.person import build_motions
from pipeline.motion.still import NEVER_MOVES, held, left_out, met, never_moves
from pipeline.observe.found_again import camera_motions
from pipeline.observe.shots import shots_of_run
from pipeline.prepare import tables_of_people
from pipeline.scene import Scene, turning_of, video_of, with_lens
from pipeline.store.atomic import atomic
from pipeline.store.checked import CHECKED_PAGES
from pipeline.store.columns import person_name
from pipeline.store.cycles_table import cycles_files
from pipeline.store.folder import RunFolder, skeleton_of_run
from pipeline.store.parts import read_part
from pipeline.store.people_csv import shown, write_rows
from pipeline.store.people_table import write_people
from pipeline.store.person_table import write_person
from pipeline.store.tracks import file_metadata, track_rows, tracks_schema
from pipeline.teams.found import Teams, no_teams
from pipeline.tracking.edits import Suspicion
from pipeline.tracking.edits_file import Identities, apply_stored
from pipeline.tracking.identify import identify, not_done
from pipeline.tracking.in_teams import teams_of_people, told_of

TRAVEL = 0.02  # of the picture's longer side: a camera that shakes by less still stands
_LONG_ROWS = 20_000  # most rows that may wait to be written: more would take much memory


class PeopleMade(NamedTuple):
    """The people of a run, whose tables are written."""

    rows: list[dict[str, Any]]  # of people.csv
    said: dict[str, Any]  # facts for run.json: edits, the field of view, shots, and the seconds that 3D took (lift_s)
    lines: list[str]  # warnings that concern no single person


def scene_of(folder: RunFolder, info: VideoInfo, config: Config) -> Scene:
    """What is known of the whole picture before there are people: shots, the camera's motion, the floor.

    Raises:
        PoselineError: shots or points of the floor that the video does not have.
    """
    parts, frames = folder.parts(), folder.begun().frames
    shots = shots_of_run(parts, info.time_s, frames, config.track)
    camera = camera_motions(parts, len(info), shots.first[1:].tolist()) if config.track.camera else None
    moves = camera is not None and travels(camera, info.size_px, TRAVEL)
    ground, course = config.metres.ground, None
    if (moves or shots.camera.max() > 0) and camera is not None and ground is not None:
        begin, which = shots.first[1:].tolist(), shots.camera.tolist()
        course = course_of(ground, camera, info.time_s, info.size_px, frames, begin, which)
    return Scene(folder, parts, info, skeleton_of_run(folder), config, camera, shots, moves, course)


def build_people(
    folder: RunFolder,
    info: VideoInfo,
    config: Config,
    say: Callable[[str, int], None],
    lifter: Lifter | None = None,
    known: np.ndarray | None = None,
    scene: Scene | None = None,
) -> PeopleMade:
    """Write tracks.parquet, people/, people.parquet and people.csv from the stored observations.

    ``say`` is told the stage and its progress: ("track", frames done) and ("people", people done). ``known`` (N,) i32
    says who each observation is, −1 for nobody, if that is known; ``scene`` is `scene_of` the same, if it is known.
    """
    run = scene or scene_of(folder, info, config)
    rows_of_shots = told_shots(run.shots, info.time_s)
    write_rows(folder.shots_csv, SHOT_COLUMNS, rows_of_shots)
    who = _identities(run, say, known)
    run = run._replace(teams=_teams(run, who))
    lens: dict[str, Any] = {}
    turns = turning_of(run, lifter.fov_deg) if isinstance(lifter, PoselineLifter) else None
    if isinstance(lifter, PoselineLifter):
        lifter, lens = with_lens(run, lifter, turns, who.ids)
    lifting = TimedLifter(lifter)
    made = Watched(_motions(run, who, lifting))
    worlds: list[World | None] = []
    video = video_of(run, lifter, turns)
    placed = Watched(in_world(made, config.metres, who.names, folder.path, video, worlds.append))
    rows, lines = _write_people(run, who, placed, say)
    lift_s = round(lifting.spent_s + placed.spent_s - made.spent_s, 3)
    if config.track.drop_still:
        lines += left_out(who.ids, [row["person_id"] for row in rows])
    lines += not_done(config.track.people, [row["person_id"] for row in rows], who.surplus)
    lines += [line for world in worlds for line in roll_warnings(world, config.metres)]
    lines += [_no_floor(run)] if run.placeless else []
    lines += run.course.lines if run.course is not None else ()
    lines += run.teams.lines if run.teams is not None else ()
    said = lens | time_facts(info) | {"lift_s": lift_s, "shots": rows_of_shots}
    said |= {"camera": {"moves": run.travels, "ground": config.metres.ground is not None}}
    said |= {"teams": (run.teams or no_teams("not asked for")).facts()}
    return PeopleMade(rows, who.said | said, lines)


def _identities(run: Scene, say: Callable[[str, int], None], known: np.ndarray | None) -> Identities:
    """The person of each observation, after the user's edits."""
    info, (low, high) = run.info, run.folder.begun().frames
    if known is not None:
        return apply_stored(run.folder, known, [], info.time_s)  # edits are on the video's own clock
    found = identify(
        (read_part(p) for p in run.parts),
        info.real_s,
        info.size_px,
        run.skeleton,
        run.config.track,
        lambda f: say("track", f - low),
        (low, high),
        run.camera,
        run.shots,
        told_of(run.config.teams),
    ).at(info.in_video_s)
    return apply_stored(run.folder, found.person, found.moments, info.time_s)._replace(surplus=found.surplus)


def _teams(run: Scene, who: Identities) -> Teams | None:
    """Who is in which team; None where nobody asks."""
    told, info = told_of(run.config.teams), run.info
    if told is None:
        return None
    stream = (read_part(p) for p in run.parts)
    return teams_of_people(stream, who.ids, told, who.teams or {}, info.real_s, info.size_px, run.camera, run.shots)


def _write_people(
    run: Scene, who: Identities, motions: Iterator[Motion], say: Callable[[str, int], None]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Measure one person after another and write all tables of a run; returns the rows of people.csv, and warnings."""
    folder, info, skeleton, config = run.folder, run.info, run.skeleton, run.config
    facts = (skeleton, folder.begun().told["video"], config.digest(), None if info.own_clock else info.pace)
    metadata, schema = file_metadata(*facts), tracks_schema(*facts)
    summaries: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    joints: list[dict[str, Any]] = []
    flights: list[dict[str, Any]] = []
    players: list[dict[str, Any]] = []
    tempos: list[Tempo] = []
    statures: list[Stature] = []
    at_rest: dict[int, str] = {}
    metres = config.metres
    heat = Heat(metres.ground, info.size_px)
    mean_step_s = float(info.real_s[-1] - info.real_s[0]) / max(len(info) - 1, 1)
    with _tables(folder, schema, skeleton, metadata) as write, cycles_files(folder, metadata) as cycles:
        for motion in motions:
            person_id = motion.person_id
            name = who.names.get(person_id, "")
            measured = measure(
                motion, skeleton, metres, info.size_px, name, config.smooth.noise_len, run.travels, run.course
            )
            carried = rolling_warning(motion, skeleton, measured.steps, run.still)
            team = {} if run.teams is None else run.teams.of(person_id)
            motion = _with_facts(beside_video(measured.motion, info), team)
            write(motion)
            heat.add(motion, skeleton)
            doubts = doubts_of(person_id, _moments(who, motion, info), info)
            figures = team | measured.figures | motion.figures | span_in_video(motion)
            told = [*measured.quality.warnings, *filter(None, [carried])]
            summaries.append(person_summary(motion, mean_step_s, doubts, name, figures, told))
            players += [] if metres.ground is None else [player_row(motion, name, team.get("team", ""))]
            steps += _rows_of(person_id, steps_in_video(measured.steps, info))
            flights += _rows_of(person_id, measured.jumps)
            write_cycles(cycles, motion, measured.cycles, metres.scaled and not run.travels)
            joints += [{key: shown(value) for key, value in joint.items()} for joint in measured.quality.joints]
            tempos += [found] if (found := tempo(motion, skeleton, run.camera)) else []
            given = metres.height_of(person_id, name) is not None
            statures.append(stature(motion, skeleton, given))
            at_rest |= {person_id: NEVER_MOVES} if never_moves(motion, skeleton.names, run.still) else {}
            say("people", person_id)
    summaries = also_warned(also_warned(summaries, stature_warnings(statures)), at_rest)
    write_people(folder, summaries)
    write_rows(folder.path / "gait.csv", ("person_id", *step_columns(info)), steps)
    write_rows(folder.jumps_csv, ("person_id", *JUMP_COLUMNS), flights)
    if metres.ground is not None:
        write_rows(folder.players_csv, PLAYER_COLUMNS, players)
    else:
        folder.players_csv.unlink(missing_ok=True)
    write_rows(folder.path / "quality.csv", QUALITY_COLUMNS, joints)
    heat.write(folder.path)
    _remove_others(folder, {s["person_id"] for s in summaries})
    return summaries, tempo_warnings(tempos)


def _with_facts(motion: Motion, facts: dict[str, Any]) -> Motion:
    """The motion with further facts for the metadata of its table."""
    return replace(motion, facts=motion.facts | {key: str(value) for key, value in facts.items()})


@contextmanager
def _tables(
    folder: RunFolder, schema: pa.Schema, skeleton: Skeleton, metadata: dict[str, str]
) -> Iterator[Callable[[Motion], None]]:
    """A function that writes a person's rows of tracks.parquet and tables in a thread, beside the work on the next one.

    At most `_LONG_ROWS` rows wait to be written. The function raises the error of an earlier write.
    """
    with (
        atomic(folder.tracks) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", **CHECKED_PAGES) as tracks,
        ThreadPoolExecutor(2) as beside,
    ):
        waiting: deque[tuple[int, Future[None]]] = deque()  # number of rows, and the task that writes them

        def written(most_rows: int) -> None:
            while waiting and sum(rows for rows, _ in waiting) > most_rows:
                waiting.popleft()[1].result()

        def add(motion: Motion) -> None:
            written(max(_LONG_ROWS - len(motion), 0))
            waiting.append((len(motion), beside.submit(write_person, folder.people, motion, skeleton, metadata)))
            tracks.write_table(track_rows(motion, schema))
            written(_LONG_ROWS)

        yield add
        written(-1)


def _motions(run: Scene, who: Identities, lifting: TimedLifter) -> Iterator[Motion]:
    """Everybody's motion, in metres where a scale is known; people with few rows are computed side by side."""
    info, skeleton, config = run.info, run.skeleton, run.config
    moving = run.camera if run.travels else None
    first = run.shots.first[1:].tolist()
    steady = None if moving is None else poses(similarities(moving, info.size_px), first)
    time_s = apart(info.real_s, run.shots)
    for group in by_person(run.parts, who.ids, skeleton, info.size_px):
        motions = build_motions(group, time_s, skeleton, config.track, config.smooth, steady)
        rest = [never_moves(m, skeleton.names, run.still) for m in motions]
        motions = [
            held(m, met(map(read_part, run.parts), who.ids, m.person_id)) if still else m
            for m, still in zip(motions, rest, strict=True)
            if not (still and config.track.drop_still)
        ]
        heights_m = [config.metres.height_of(m.person_id, who.names.get(m.person_id, "")) for m in motions]
        lifted = lifting.lift(motions, skeleton, info.size_px, heights_m)
        lifted = motions if lifted is None else lifted
        lifted = [in_time(motion, info.real_s, run.shots) for motion in lifted]
        del motions, group
        while lifted:
            yield lifted.pop(0)


def _no_floor(run: Scene) -> str:
    """Why nobody has a place on a floor, and the remedy."""
    if run.travels:
        return f"{NO_METRES}; give --ground FILE for them"
    which = f"the shots are of {run.cameras} cameras, each of which stands still, and no ground is given"
    return f"{which}: no places on one floor; give --ground FILE, or a run for each camera (--start, --end)"


def _moments(who: Identities, motion: Motion, info: VideoInfo) -> list[Suspicion]:
    """Doubts about identities, and about joints of this motion, in order of time on the video's own clock."""
    joints = [Suspicion(info.in_video_s(real_s), motion.person_id, why) for real_s, why in motion.doubts]
    return sorted([*who.moments, *joints], key=lambda moment: moment.time_s)


def _rows_of(person_id: int, table: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Rows of gait.csv or jumps.csv."""
    columns = {name: values.tolist() for name, values in table.items()}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [{"person_id": person_id, **{key: shown(value) for key, value in row.items()}} for row in rows]


def _remove_others(folder: RunFolder, people: set[int]) -> None:
    """Delete the tables of people that an earlier tracking found and this one did not."""
    keep = {person_name(i) for i in people}
    for file in tables_of_people(folder):
        if file.stem not in keep:
            file.unlink()
