"""Feeds of sites whose pages do not name them."""

import pytest

from fetcher.known_sites import known_feeds


@pytest.mark.parametrize(
    ("url", "feeds"),
    [
        (
            "https://github.com/python/cpython/tree/main?x=1",
            (
                "https://github.com/python/cpython/releases.atom",
                "https://github.com/python/cpython/commits.atom",
            ),
        ),
        ("https://old.reddit.com/r/programming/", ("https://www.reddit.com/r/programming/.rss",)),
        (
            "https://www.youtube.com/channel/UC_x5XG1OV2P6uZZ5FSM9Ttw/videos",
            ("https://www.youtube.com/feeds/videos.xml?channel_id=UC_x5XG1OV2P6uZZ5FSM9Ttw",),
        ),
        (
            "https://www.youtube.com/playlist?list=PL1-x&index=2",
            ("https://www.youtube.com/feeds/videos.xml?playlist_id=PL1-x",),
        ),
        ("https://medium.com/@ann", ("https://medium.com/feed/@ann",)),
        (
            "https://stackoverflow.com/questions/tagged/c%2B%2B",
            ("https://stackoverflow.com/feeds/tag/c%2B%2B",),
        ),
        ("https://pypi.org/project/requests/", ("https://pypi.org/rss/project/requests/releases.xml",)),
        ("https://github.com/python", ()),
        ("https://github.com.example/python/cpython", ()),
        ("https://notgithub.com/python/cpython", ()),
        ("https://site.example/", ()),
        ("nonsense", ()),
    ],
)
def test_feeds_follow_from_the_address(url: str, feeds: tuple[str, ...]) -> None:
    assert known_feeds(url) == feeds
