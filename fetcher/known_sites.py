"""Where well-known sites keep the feeds of a page that does not name them."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class _Site:
    """Hosts, the path (with its query) of their pages, and the feeds, in which `\\1` is its first part."""

    hosts: re.Pattern[str]
    path: re.Pattern[str]
    feeds: tuple[str, ...]


def _site(hosts: str, path: str, *feeds: str) -> _Site:
    return _Site(re.compile(hosts), re.compile(path), feeds)


_SITES = (
    _site(
        r"(?:www\.)?github\.com",
        r"/([\w.-]+)/([\w.-]+?)(?:\.git)?(?:[/?].*)?",
        r"https://github.com/\1/\2/releases.atom",
        r"https://github.com/\1/\2/commits.atom",
    ),
    _site(r"(?:\w+\.)?reddit\.com", r"/(r|user)/([\w-]+)(?:[/?].*)?", r"https://www.reddit.com/\1/\2/.rss"),
    _site(
        r"(?:www\.|m\.)?youtube\.com",
        r"/channel/([\w-]+)(?:[/?].*)?",
        r"https://www.youtube.com/feeds/videos.xml?channel_id=\1",
    ),
    _site(
        r"(?:www\.|m\.)?youtube\.com",
        r"/playlist\?list=([\w-]+)(?:&.*)?",
        r"https://www.youtube.com/feeds/videos.xml?playlist_id=\1",
    ),
    _site(r"medium\.com", r"/(@?[\w.-]+)(?:[/?].*)?", r"https://medium.com/feed/\1"),
    _site(
        r"stackoverflow\.com",
        r"/questions/tagged/([\w.+#%-]+)(?:[/?].*)?",
        r"https://stackoverflow.com/feeds/tag/\1",
    ),
    _site(r"pypi\.org", r"/project/([\w.-]+)(?:[/?].*)?", r"https://pypi.org/rss/project/\1/releases.xml"),
)


def known_feeds(url: str) -> tuple[str, ...]:
    """Return where the feeds of a page are by what is known of its site; none for other sites."""
    parts = urlsplit(url)
    page = f"{parts.path}?{parts.query}" if parts.query else parts.path
    for site in _SITES:
        match = site.path.fullmatch(page) if site.hosts.fullmatch(parts.hostname or "") else None
        if match:
            return tuple(match.expand(feed) for feed in site.feeds)
    return ()
