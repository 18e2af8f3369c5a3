"""The feeds that are served and read: recorded ones where there are some, else made by chance."""

from itertools import islice

from bench.news_articles import Article, articles
from bench.pipeline import DATA
from bench.sample_feeds import feed_of

GENERATED, ITEMS = 48, 15


def documents() -> list[bytes]:
    """Return the recorded feeds that lie beside the checkout, or made ones, always the same."""
    return recorded() or _made()


def recorded() -> list[bytes]:
    """Return the recorded feeds."""
    return [file.read_bytes() for file in sorted((DATA / "feeds").glob("*.xml"))]


def address(number: int) -> str:
    """Return a loopback address of a host's own."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def _made() -> list[bytes]:
    found = iter(articles(None, 1))
    return [_feed(f"site{number}.example", list(islice(found, ITEMS))) for number in range(GENERATED)]


def _feed(host: str, found: list[Article]) -> bytes:
    return feed_of(host, [(one.title, f"&lt;p>{one.summary}&lt;/p>") for one in found])
