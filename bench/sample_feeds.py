"""Small feeds and topics of the project's own, for where no recorded ones are at hand."""

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


def _feed(host: str, titles: tuple[str, ...]) -> bytes:
    items = (
        _ITEM.format(title=title, host=host, number=number, summary=f"More about it: {title.lower()}.")
        for number, title in enumerate(titles)
    )
    return _RSS.format(title=host, host=host, items="".join(items)).encode()


OWN_FEEDS = {host.split(".", maxsplit=1)[0]: _feed(host, titles) for host, titles in _STORIES.items()}
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
