"""Several people side by side, so that they share the cost of the loops over rows.

What is worked out about a person is a generator. Where it comes to a loop over rows it yields what is to be gone
through, and is sent what came out. Those of several people go through one loop; nobody's result depends on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

_CELLS = 1 << 18  # rows times lanes that go through a loop at once, if no single request has more: tens of MB

P = ParamSpec("P")
T = TypeVar("T")


class Request(Protocol):
    """What a loop over rows is to go through."""

    @property
    def kind(self) -> tuple[Any, ...]:
        """Requests of the same kind can go through together; the kinds that begin with the lowest number go first."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and lanes."""

    @staticmethod
    def answers(requests: Sequence[Any]) -> list[Any]:
        """What comes out for each of some requests of one kind."""


Steps = Generator[Request, Any, T]


def for_one(steps: Callable[P, Steps[T]]) -> Callable[P, T]:
    """The function that does for one person, and returns, what the generators of ``steps`` do."""

    @wraps(steps)
    def done(*args: P.args, **kwargs: P.kwargs) -> T:
        return together([steps(*args, **kwargs)])[0]

    return done


def together(people: Sequence[Steps[T]]) -> list[T]:
    """The results of the generators."""
    done: dict[int, T] = {}
    waiting: dict[int, Request] = {}

    def go_on(i: int, answer: Any) -> None:
        try:
            waiting[i] = people[i].send(answer)
        except StopIteration as end:
            done[i] = end.value

    for i in range(len(people)):
        go_on(i, None)
    while waiting:
        chosen = _side_by_side(waiting)
        requests = [waiting.pop(i) for i in chosen]
        answers = requests[0].answers(requests)
        del requests
        for i in chosen:
            go_on(i, answers.pop(0))
    return [done[i] for i in range(len(people))]


def _side_by_side(waiting: dict[int, Request]) -> list[int]:
    """Who goes through the next loop: all of one kind whose lanes, as long as the longest of them, are not too much."""
    kind = min((request.kind for request in waiting.values()), key=lambda kind: kind[0])
    alike = sorted((i for i in waiting if waiting[i].kind == kind), key=lambda i: -waiting[i].shape[0])
    steps, lanes = waiting[alike[0]].shape
    stop = 1
    while stop < len(alike) and steps * (lanes + waiting[alike[stop]].shape[1]) <= _CELLS:
        lanes += waiting[alike[stop]].shape[1]
        stop += 1
    return alike[:stop]
