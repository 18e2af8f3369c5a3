"""The kind `push`: articles that others POST to the API, under a name in place of an address."""

from core.store.sources import PUSH, PUSH_SCHEME

_NAME_LIMIT = 200


class PushKind:
    """Is never polled; whoever publishes names it."""

    name = PUSH
    default_interval_seconds = None
    example_url = f"{PUSH_SCHEME}my-blog"

    def check(self, url: str) -> None:
        """Raise ValueError, in words for people, unless `url` is `push:` and a name."""
        name = url.removeprefix(PUSH_SCHEME)
        if name == url or not name.strip() or len(name) > _NAME_LIMIT or not name.isprintable():
            raise ValueError(f"must be {PUSH_SCHEME} and a name of at most {_NAME_LIMIT} characters")


KIND = PushKind()
