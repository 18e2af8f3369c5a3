"""What of an article is matched, and under which sources' names."""

from typing import Any

from core.message import ArticleMessage
from core.store.models import ArticleVersion
from router.readings import Reading, of_appearance, of_version

FIRST, SECOND = ("src_1", "First"), ("src_2", "Second")


def said(title: str, **more: Any) -> ArticleMessage:
    return ArticleMessage(id="1", version=1, title=title, **more)


def stored(title: str) -> ArticleVersion:
    return ArticleVersion(title=title, summary="stored", language="de", categories=["c"])


def test_a_version_is_read_once_for_each_source() -> None:
    message = said("T", summary="S", language="en", categories=["x"])
    assert of_version(message, FIRST, [SECOND, FIRST]) == [
        Reading("T", "S", FIRST, "en", ["x"]),
        Reading("T", "S", SECOND, "en", ["x"]),
    ]


def test_another_sources_item_is_read_as_it_says_it_and_as_the_article_has_it() -> None:
    assert of_appearance(said("Theirs"), SECOND, stored("Ours")) == [
        Reading("Theirs", "", SECOND, None, []),
        Reading("Ours", "stored", SECOND, "de", ["c"]),
    ]


def test_the_article_may_have_no_version_to_read() -> None:
    assert of_appearance(said("Theirs"), SECOND, None) == [Reading("Theirs", "", SECOND, None, [])]
