"""What is new, over recorded answers of NewsAPI: articles, versions, and changes that are no version.

    python -m bench.replay --show 20

Replays in time order what one source would have shown: raw `top-headlines` answers, and articles that were
seen with several titles and descriptions. Each goes through the kind `newsapi` and the fetcher's decisions.
Whether a change is cosmetic is judged here once more, by comparing the two texts, and not with the fetcher's
code. `cosmetic_told` and `returned_told` must be 0, else the exit code is 1. Prints one line of JSON for each
collection; `--show` writes that many changes of each sort to standard error, to be judged by eye.
"""

import argparse
import csv
import gzip
import json
import random
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.command import options, report
from fetcher.identity import KnownEntry, New, Unchanged, Updated, candidate_ids, decide, identify, link_of
from fetcher.sources.base import Document
from fetcher.sources.newsapi import KIND
from fetcher.urls import canonical_url

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
URL = "https://newsapi.example/v2/everything?q=news"
SIGNS = "?#+%$€£"
NAME_LENGTH, NAME_WORDS = 40, 5


@dataclass(frozen=True)
class Text:
    """What an article says, as it came."""

    title: str
    description: str
    publisher: str


@dataclass(frozen=True)
class Answer:
    """An answer of the API, when it was given, and the collection it is from."""

    at: int
    collection: str
    articles: tuple[dict[str, Any], ...]


@dataclass
class Replay:
    """The fetcher's memory of one source, and every text of each article that was shown so far."""

    known: dict[str, KnownEntry] = field(default_factory=dict)
    texts: defaultdict[str, list[Text]] = field(default_factory=lambda: defaultdict(list))
    counts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    examples: defaultdict[str, list[tuple[Text, Text]]] = field(default_factory=lambda: defaultdict(list))

    def take(self, answer: Answer) -> None:
        """Show an answer to the fetcher, and count what it makes of each article."""
        now = datetime.fromtimestamp(answer.at, UTC)
        body = json.dumps({"status": "ok", "articles": answer.articles}).encode()
        items = KIND.parse(Document(URL, 200, {}, body), now).items
        given: dict[str | None, Text] = {}
        for article in answer.articles:  # of repetitions in one answer the first counts
            given.setdefault(canonical_url(article["url"] or ""), _text(article))
        known = {id_: self.known[id_] for id_ in candidate_ids(items) if id_ in self.known}
        for one in identify(items, known):
            decision = decide(known.get(one.entry_id), one.item, now)
            text = given.get(canonical_url(one.item.url or ""))
            if text is not None:
                self._count(answer.collection, one.entry_id, text, told=not isinstance(decision, Unchanged))
            if isinstance(decision, New | Updated):
                version, hashes = decision.version, decision.seen_hashes
                self.known[one.entry_id] = KnownEntry(version, hashes, now, link_of(one.item))

    def _count(self, collection: str, entry_id: str, text: Text, *, told: bool) -> None:
        earlier, counts = self.texts[entry_id], self.counts[collection]
        sort = _sort(text, earlier)
        counts["shown"] += 1
        counts["articles"] += not earlier
        counts["versions"] += told
        counts[sort] += 1
        counts[f"{sort}_told"] += told
        if sort in ("cosmetic", "other"):
            self.examples[f"{sort}, {'told' if told else 'not told'}"].append((earlier[-1], text))
        earlier.append(text)


def _sort(text: Text, earlier: list[Text]) -> str:
    """Say how a text stands to those that its article had before."""
    if not earlier:
        return "first"
    if text == earlier[-1]:
        return "same"
    if text in earlier:
        return "returned"
    return "cosmetic" if any(is_cosmetic(old, text) for old in earlier) else "other"


def is_cosmetic(old: Text, new: Text) -> bool:
    """Tell whether a text says nothing that an older one does not.

    Letters, digits and a few signs are compared. A description may go missing; a name may come, go and change
    behind the title.
    """
    if new.description and _letters(old.description) != _letters(new.description):
        return False
    return not _titles(old).isdisjoint(_titles(new))


def _titles(text: Text) -> set[str]:
    """Return the letters of a title, and of what is left without each name behind it."""
    found, title = {_letters(text.title)}, text.title
    while True:
        head, _, name = max(
            (title.rpartition(f" {mark} ") for mark in "-|–—"), key=lambda parts: len(parts[0])
        )
        if not head or not _is_name(name, text.publisher):
            return found
        found.add(_letters(head))
        title = head


def _is_name(name: str, publisher: str) -> bool:
    if _letters(name) in _letters(publisher) or _letters(publisher).removesuffix("com") in _letters(name):
        return True
    words = name.split()
    short = len(name) <= NAME_LENGTH and 2 <= len(words) <= NAME_WORDS
    return short and all(word != word.lower() or word[0].isdigit() for word in words)


def _letters(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.replace("&amp;", "&").replace("&", " and ")).casefold()
    return "".join(one for one in apart if one.isalnum() or one in SIGNS)


def _text(article: dict[str, Any]) -> Text:
    name = (article["source"] or {}).get("name") or ""
    return Text(article["title"] or "", article["description"] or "", name)


def _answers(folder: Path) -> Iterator[Answer]:
    for file in folder.glob("newsapi/[0-9]*.json"):
        articles = json.loads(file.read_text(encoding="utf-8"))["articles"]
        yield Answer(int(file.stem), "newsapi", tuple(articles))
    yield from _versions(folder / "article_versions.csv.gz")


def _versions(file: Path) -> Iterator[Answer]:
    by_time: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            by_time[int(row["first_seen_unix"])].append(_article(row))
    for at, articles in by_time.items():
        yield Answer(at, "article_versions", tuple(articles))


def _article(row: dict[str, str]) -> dict[str, Any]:
    return {
        "source": {"name": row["source_name"]},
        "title": row["title"],
        "description": row["description"] or None,
        "url": row["url"],
        "publishedAt": row["published_at"],
    }


def _show(examples: dict[str, list[tuple[Text, Text]]], count: int, seed: int) -> None:
    for sort, pairs in sorted(examples.items()):
        print(f"--- {sort}: {len(pairs)}", file=sys.stderr)
        for old, new in random.Random(seed).sample(pairs, min(count, len(pairs))):
            print(f"  {old.title}\n  {new.title}", file=sys.stderr)
            if _letters(old.description) != _letters(new.description):
                print(f"    {old.description[:100]}\n    {new.description[:100]}", file=sys.stderr)


def _figures(counts: Counter[str]) -> dict[str, int]:
    names = ("shown", "articles", "versions", "same", "returned", "cosmetic", "other")
    told = ("returned_told", "cosmetic_told", "other_told")
    return {name: counts[name] for name in (*names, *told)}


def main(arguments: Iterable[str] | None = None) -> None:
    """Replay everything and print what it came to."""
    parser = options(__doc__, show=0)
    parser.add_argument("--data", type=Path, default=DATA, help="Folder of the recorded answers.")
    given = parser.parse_args(None if arguments is None else list(arguments))
    replay = Replay()
    for answer in sorted(_answers(given.data), key=lambda answer: answer.at):
        replay.take(answer)
    shown = argparse.Namespace(seed=given.seed, load_before=given.load_before)
    for collection, counts in sorted(replay.counts.items()):
        report("replay", shown, {"collection": collection, **_figures(counts)})
    _show(replay.examples, given.show, given.seed)
    total = sum(replay.counts.values(), Counter[str]())
    if total["cosmetic_told"] or total["returned_told"] or not total["shown"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
