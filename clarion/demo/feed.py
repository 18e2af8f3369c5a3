"""A small feed, served on this machine, whose articles the demonstration expects."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime

from notifiers.rendering import template_environment

SPACING = timedelta(minutes=7)


@dataclass(frozen=True)
class Sample:
    """One article of the sample feed."""

    title: str
    summary: str
    category: str


SAMPLES = (
    Sample(
        "Kubernetes 1.40 makes rollouts calmer",
        "Pods now drain before their node goes, so fewer requests fail.",
        "containers",
    ),
    Sample(
        "A rewrite in Rust that was not worth it",
        "A team measured before and after, and kept its Python service.",
        "engineering",
    ),
    Sample(
        "Python 3.15 starts twice as fast",
        "Lazy imports arrive in the standard library after a long debate.",
        "languages",
    ),
    Sample(
        "PostgreSQL learns to skip scans",
        "Multi-column indexes serve more queries than they did before.",
        "databases",
    ),
    Sample(
        "What a message queue is for",
        "RabbitMQ, explained by a bakery that takes orders faster than it bakes.",
        "engineering",
    ),
    Sample(
        "Solar roofs pass a quiet milestone",
        "For one spring day, a whole country ran on sunlight alone.",
        "energy",
    ),
    Sample(
        "The whale that came back",
        "A species counted out is seen again in the southern ocean.",
        "nature",
    ),
    Sample(
        "Machine learning on a coin cell",
        "A keyword spotter that runs for a year on one battery.",
        "hardware",
    ),
)


def render_feed(base: str, now: datetime) -> bytes:
    """Return the sample feed as RSS 2.0, its newest article published a minute ago."""
    items = [
        {"sample": sample, "published": format_datetime(now - timedelta(minutes=1) - index * SPACING)}
        for index, sample in enumerate(SAMPLES)
    ]
    template = template_environment().get_template("demo/feed.xml")
    return template.render(base=base, items=items).encode()
