"""Articles to learn queries from and to match: recorded ones where there are some, else made by chance."""

import csv
import gzip
import random
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data" / "news_stream.csv.gz"
"""Where recorded articles are looked for unless others are named: beside the checkout."""

TRAINING_SHARE = 2 / 3
GENERATED = 30_000
_TITLE_WORDS, _SUMMARY_WORDS, _VOCABULARY = 13, 20, 30_000
_LANGUAGES = {"us": "en-US", "gb": "en-GB", "in": "en-IN", "au": "en-AU"}
_SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "ter",
    "von",
    "sa",
    "ri",
    "dun",
    "pel",
    "os",
    "ga",
    "ney",
    "tu",
    "bra",
    "chi",
    "wex",
)


def add_option(parser: ArgumentParser) -> None:
    """Add `--articles FILE`, by default the recorded ones if they are there, else nothing."""
    parser.add_argument(
        "--articles",
        type=Path,
        default=RECORDED if RECORDED.is_file() else None,
        help="recorded articles, as news_stream.csv.gz has them; without them they are made by chance",
    )


class Article(NamedTuple):
    """What a matcher is given of an article."""

    title: str
    summary: str
    source: tuple[str, ...]
    language: str
    categories: tuple[str, ...]


def articles(file: Path | None, seed: int) -> list[Article]:
    """Return the articles of a file as `news_stream.csv.gz` is one, or made ones without a file."""
    return list(_recorded(file) if file else _generated(seed))


def split(found: list[Article], count: int, seed: int) -> tuple[list[Article], list[Article]]:
    """Return the older part, from which queries are learnt, and by chance so many of the newer to match."""
    cut = int(len(found) * TRAINING_SHARE)
    newer = found[cut:]
    return found[:cut], random.Random(seed).sample(newer, min(count, len(newer)))


def _recorded(file: Path) -> Iterator[Article]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            source = tuple(filter(None, (row["source_id"], row["source_name"])))
            language = _LANGUAGES.get(row["country_or_source"], "en")
            yield Article(row["title"], row["description"], source, language, (row["category"],))


def _generated(seed: int) -> Iterator[Article]:
    chance = random.Random(seed)
    words = ["".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))) for _ in range(_VOCABULARY)]
    # Words of a language are used after Zipf's law, with an exponent near 1.
    weights = list(accumulate(1 / rank for rank in range(1, _VOCABULARY + 1)))
    for _ in range(GENERATED):
        text = chance.choices(words, cum_weights=weights, k=_TITLE_WORDS + _SUMMARY_WORDS)
        source = f"source-{chance.randrange(50)}"
        language = chance.choice(tuple(_LANGUAGES.values()))
        title, summary = " ".join(text[:_TITLE_WORDS]), " ".join(text[_TITLE_WORDS:])
        yield Article(title, summary, (source,), language, ("general",))
