"""Small feeds and topics of the project's own, for where no recorded ones are at hand."""

from collections.abc import Iterable

_RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>{title}</title>
<link>https://{host}/</link><description>Sample</description>{items}</channel></rss>"""
_ITEM = """<item><title>{title}</title><link>https://{host}/{number}</link><guid>{host}-{number}</guid>
<description>{summary}</description></item>"""

_STORIES = {
    "clouds.example": ("Kubernetes moves on", "Docker without daemons", "A serverless bill explained"),
    "code.example": (
        "Python in the browser",
        "Rust for kernels",
        "JavaScript engines compared",
        "C++ modules at last",
    ),
    "data.example": ("PostgreSQL partitions", "Machine learning on tables", "SQL at fifty"),
}


def feed_of(host: str, stories: Iterable[tuple[str, str]]) -> bytes:
    """Return an RSS document of titles and summaries, which are taken as they are: as markup."""
    items = (
        _ITEM.format(title=title, host=host, number=number, summary=summary)
        for number, (title, summary) in enumerate(stories)
    )
    return _RSS.format(title=host, host=host, items="".join(items)).encode()


OWN_FEEDS = {
    host.split(".", maxsplit=1)[0]: feed_of(
        host, [(title, f"More about it: {title.lower()}.") for title in titles]
    )
    for host, titles in _STORIES.items()
}
OWN_TOPICS = [
    "AI",
    "Android",
    "Apple",
    "C++",
    "Docker",
    "Google",
    "JavaScript",
    "Kubernetes",
    "Linux",
    "Machine learning",
    "Microsoft",
    "PostgreSQL",
    "Python",
    "Rust",
    "Security",
]
