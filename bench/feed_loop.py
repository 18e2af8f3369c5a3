"""The peer: a loop of `requests.get` and `feedparser.parse` that remembers in a set what it has seen."""

import time
from collections.abc import Sequence

import feedparser
import requests

TIMEOUT = 30


def read_all(urls: Sequence[str]) -> dict[str, float]:
    """Read each feed, then ask once more with its ETag; return entries, documents and 304s per second."""
    seen: set[tuple[str, str]] = set()
    tags = dict[str, str]()
    started = time.perf_counter()
    entries = sum(_read(url, seen, tags) for url in urls)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    for url, tag in tags.items():
        answer = requests.get(url, headers={"If-None-Match": tag}, timeout=TIMEOUT)
        if answer.status_code != requests.codes.not_modified:
            raise SystemExit(f"not answered with 304, but {answer.status_code}: {url}")
    unchanged = time.perf_counter() - started
    return {
        "entries": entries,
        "entries_per_s": round(entries / seconds),
        "documents_per_s": round(len(urls) / seconds),
        "not_modified_per_s": round(len(tags) / unchanged),
    }


def _read(url: str, seen: set[tuple[str, str]], tags: dict[str, str]) -> int:
    """Return how many entries of a feed are new."""
    answer = requests.get(url, timeout=TIMEOUT)
    tags[url] = answer.headers["ETag"]
    before = len(seen)
    for entry in feedparser.parse(answer.content).entries:
        seen.add((url, entry.get("id") or entry.get("link") or entry.get("title", "")))
    return len(seen) - before
