"""What the benchmarks' command lines have in common: options, and one line of JSON."""

import argparse
import json
import os
from typing import Any


def options(description: str | None, **sizes: float) -> argparse.ArgumentParser:
    """Return a parser with `--seed` and an option for each size, whose type is that of its default."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    for name, default in sizes.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    # Figures taken beside other work are worth less, so the line says how much of it there was.
    parser.set_defaults(load_before=round(os.getloadavg()[0], 2))
    return parser


def sizes(text: str) -> list[int]:
    """Return the sizes of an option that may have several, in order."""
    return sorted({int(part) for part in text.split(",")})


def report(bench: str, given: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Print one line: which benchmark, on how many cores, with which options, and what it found."""
    print(
        json.dumps({"bench": bench, "cores": os.cpu_count(), **vars(given), **figures}, default=str),
        flush=True,
    )
