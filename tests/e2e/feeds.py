"""Feeds, as somebody else's web server would serve them."""

from collections.abc import Iterable
from xml.sax.saxutils import escape

from tests.receiver import Receiver, Respond


def serve_feed(receiver: Receiver, titles: Iterable[str], path: str = "/feed.xml") -> str:
    """Serve an RSS feed with one article for each title, from now on; return its URL."""
    items = "".join(
        f"<item><title>{escape(title)}</title><guid isPermaLink='false'>{escape(title)}</guid></item>"
        for title in titles
    )
    feed = f"<?xml version='1.0'?><rss version='2.0'><channel><title>Feed</title>{items}</channel></rss>"
    headers = (("Content-Type", "application/rss+xml"),)
    return receiver.script(path, Respond(body=feed.encode(), headers=headers))
