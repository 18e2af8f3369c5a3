"""A program of somebody else's that knows nothing of Clarion but its exchange."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika

EXCHANGE = "clarion.articles"


@contextmanager
def producer(broker_url: str) -> Iterator[Any]:
    """Yield a channel to the broker."""
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def announce(channel: Any, name: str, title: str, version: int = 1) -> None:
    """Publish an article with the fields that anybody would think of."""
    article = {"id": name, "version": version, "title": title, "content": "…", "category": "crafts"}
    channel.basic_publish(exchange=EXCHANGE, routing_key="", body=json.dumps(article))
