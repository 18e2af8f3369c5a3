"""Running one function in a process of its own, whose memory and garbage are nobody else's."""

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def in_fresh_process(function: Callable[P, R], *given: P.args, **named: P.kwargs) -> R:
    """Return what a function of a module returns there; BrokenProcessPool when the process ends before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *given, **named).result()


def say(text: str) -> None:
    """Tell how far a long run is, beside its output."""
    print(text, file=sys.stderr, flush=True)
