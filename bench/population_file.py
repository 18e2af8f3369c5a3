"""A population as a file, which a process reads by and by, so that its memory is the index's alone."""

import pickle
from array import array
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench.query_population import Asked, Population

AT_ONCE = 5_000


def write(population: Population, file: Path) -> None:
    """Write each query with the ids of its subscriptions."""
    with file.open("wb") as out:
        for asked, ids in zip(population.queries, population.ids, strict=True):
            pickle.dump((*asked, ids.tobytes()), out)


def chunks(file: Path) -> "Iterator[list[tuple[Asked, array[int]]]]":
    """Yield what was written, some thousands at a time."""
    read = records(file)
    while chunk := list(islice(read, AT_ONCE)):
        yield chunk


def records(file: Path) -> "Iterator[tuple[Asked, array[int]]]":
    """Yield what was written."""
    with file.open("rb") as source:
        while source.peek(1):
            *asked, ids = pickle.load(source)
            yield Asked(*asked), array("q", ids)
