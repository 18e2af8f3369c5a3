"""How long to wait before trying again."""

import random
from collections.abc import Callable

_MOST_DOUBLINGS = 32


def backoff(attempt: int, first: float, most: float, chance: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait after failure number `attempt` (from 0): doubling, with jitter.

    The wait lies between half of and the whole of `first`, doubled per attempt up to `most`, so that
    processes which failed together do not come back together.
    """
    ceiling = min(most, first * 2.0 ** min(attempt, _MOST_DOUBLINGS))
    return ceiling * (0.5 + 0.5 * chance())
