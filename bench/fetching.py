"""Fetching very many feeds: entries per second until they are published, and 304s per second.

    python -m bench.fetching --sources 2000 --runs 3

Serves feeds from a process of its own, recorded ones where they lie beside the checkout, each source at a
path and on a loopback address of its own, so that the usual distance between requests to one host holds up
nobody. In each run a new fetcher reads them all three times: all is new, stored and published (`first`);
nothing changed, and the server says so with 304 (`unchanged`); the documents come once more with nothing new
in them (`known`). Peer in the same run: a loop of `requests.get` and `feedparser.parse` that remembers what
it has seen in a set, and neither stores nor publishes anything. Figures are medians of `--runs`. Reading is
compared by itself too, by processor time (`reading`), and each recorded feed is read (`recorded`). `--quick`
shows in seconds that all of it works. Exit code 1 when a feed could not be read, or not all was published.
"""

import statistics
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from bench.command import options, report
from bench.feed_documents import recorded
from bench.feed_loop import read_all
from bench.feed_reading import costs, read_in_sandbox
from bench.feed_server_process import FeedServerProcess
from bench.fetcher_rounds import Round, fetching
from bench.fresh_process import in_fresh_process, say
from bench.installation import shared_servers
from bench.matching_goals import Goal, outcomes
from bench.matching_table import of_goals
from tests.servers.shared import SharedServers

HOSTS = 2_000
QUICK = {"sources": 96, "loop_sources": 48, "runs": 1}
GOALS = (Goal("times the entries/s of requests and feedparser", "times", True, 10, 10),)
ROUNDS = ("first", "unchanged", "known")


def run(given: Namespace) -> dict[str, Any]:
    """Measure the fetcher and the loop in turn; return figures and their ratio."""
    runs, loops = list[dict[str, Any]](), list[dict[str, float]]()
    with shared_servers() as servers, FeedServerProcess(min(given.sources, HOSTS)) as server:
        for number in range(given.runs):
            loops.append(in_fresh_process(read_all, server.urls("loop", given.loop_sources)))
            say(f"run {number + 1}: the loop, {loops[-1]}")
            runs.append(_run(given, servers, server))
            say(f"run {number + 1}: clarion, {runs[-1]}")
    clarion, loop = _medians(runs), _medians(loops)
    times = {
        "times": round(clarion["first"]["entries_per_s"] / loop["entries_per_s"], 2),
        "times_known": round(clarion["known"]["polls_per_s"] / loop["documents_per_s"], 2),
        "times_unchanged": round(clarion["unchanged"]["polls_per_s"] / loop["not_modified_per_s"], 2),
    }
    reading = {"recorded": read_in_sandbox(recorded()), "reading": in_fresh_process(costs)}
    return {**reading, "clarion": clarion, "loop": loop, **times}


def _run(given: Namespace, servers: SharedServers, server: FeedServerProcess) -> dict[str, Any]:
    with fetching(servers.databases().create(), servers.vhosts().create(), server) as made:
        before = server.counts()
        first = made.begin(server.urls("sources", given.sources))
        unchanged = made.again()
        _require(server, before, documents=given.sources, not_modified=given.sources)
        server.change()
        known = made.again()
        if unchanged.new or known.new:
            raise SystemExit(f"what is known was found new: {unchanged.new + known.new} entries")
        return {"entries": first.new, **_figures(first, unchanged, known)}


def _require(server: FeedServerProcess, before: dict[str, int], **expected: int) -> None:
    sent = {name: count - before[name] for name, count in server.counts().items()}
    if sent != expected:
        raise SystemExit(f"the server sent {sent} where {expected} should be")


def _figures(*rounds: Round) -> dict[str, Any]:
    first = rounds[0]
    figures = {name: _of_round(one, first.new) for name, one in zip(ROUNDS, rounds, strict=True)}
    figures["first"]["cpu_us_per_entry"] = _cpu(first, first.new)
    return figures


def _of_round(one: Round, entries: int) -> dict[str, Any]:
    return {
        "seconds": round(one.seconds, 2),
        "polls_per_s": round(one.polls / one.seconds),
        "entries_per_s": round(entries / one.seconds),
        "cpu_us_per_poll": _cpu(one, one.polls),
    }


def _cpu(one: Round, count: int) -> dict[str, int]:
    return {name: round(seconds / count * 1e6) for name, seconds in one.cpu.items()}


def _medians(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: _medians([run[name] for run in runs])
        if isinstance(value, dict)
        else statistics.median(run[name] for run in runs)
        for name, value in runs[0].items()
    }


def _table(figures: dict[str, Any]) -> str:
    clarion, loop, read = figures["clarion"], figures["loop"], figures["recorded"]
    first, unchanged, known = (clarion[name] for name in ROUNDS)
    lines = (
        f"recorded feeds: {read['feeds']} with {read['items']} items, {read['failures']} of them unreadable",
        f"all new: {first['entries_per_s']:,.0f} entries/s, the loop {loop['entries_per_s']:,.0f}",
        f"nothing new: {known['polls_per_s']:,.0f} documents/s, the loop {loop['documents_per_s']:,.0f}",
        f"304s: {unchanged['polls_per_s']:,.0f}/s, the loop {loop['not_modified_per_s']:,.0f}",
        "reading alone, items/s of a core: {clarion:,}, feedparser {feedparser:,}".format_map(
            figures["reading"]
        ),
    )
    return "\n".join(lines)


def main() -> None:
    """Run and print."""
    parser = options(__doc__, sources=2_000, loop_sources=400, runs=3)
    parser.add_argument("--quick", action="store_true", help="few sources, one run")
    given = parser.parse_args()
    if given.quick:
        vars(given).update(QUICK)
    figures = run(given)
    reached = list(outcomes(figures, GOALS))
    print(_table(figures), of_goals(reached), sep="\n\n")
    report("fetching", given, {**figures, "goals": {one.name: one.verdict for one in reached}})
    sys.exit(figures["recorded"]["failures"] > 0)


if __name__ == "__main__":
    main()
