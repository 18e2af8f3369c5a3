"""Who is told of a story that was told already, and of an article that another source shows too."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from core.store.states import ChannelState
from core.store.subscriptions import Recipient
from router.planning import asking_once, by_channel, plan, without_repeated_stories

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHANNELS = st.sampled_from("abcd")
TOLD = st.dictionaries(CHANNELS, st.integers(1, 5))


def recipient(channel: str, number: int, *, once: bool, updates: bool = False) -> Recipient:
    return Recipient(
        f"sub_{number}",
        f"query {number}",
        updates,
        "acc_1",
        channel,
        "webhook",
        ChannelState.ACTIVE,
        once_per_story=once,
    )


RECIPIENTS = st.lists(
    st.builds(recipient, CHANNELS, st.integers(1, 99), once=st.booleans(), updates=st.booleans()),
    max_size=12,
)


def test_only_subscriptions_that_want_it_once_are_left_out() -> None:
    groups = by_channel(
        [
            recipient("told", 1, once=True),
            recipient("both", 2, once=True),
            recipient("both", 3, once=False),
            recipient("new", 4, once=True),
        ]
    )
    wanted = without_repeated_stories(groups, {}, {"told", "both"})
    assert {channel: [one.id for one in matched] for channel, matched in wanted.items()} == {
        "both": ["sub_3"],
        "new": ["sub_4"],
    }


def test_a_channel_that_was_told_of_the_article_itself_is_told_of_its_versions() -> None:
    groups = by_channel([recipient("a", 1, once=True, updates=True)])
    assert without_repeated_stories(groups, {"a": 1}, {"a"}) == groups


def test_nobody_is_asked_about_whom_nothing_depends_on_it() -> None:
    groups = by_channel(
        [recipient("once", 1, once=True), recipient("each", 2, once=False), recipient("told", 3, once=True)]
    )
    assert asking_once(groups, {"told": 1}) == ["once"]


@given(RECIPIENTS, TOLD, st.sets(CHANNELS))
def test_without_the_option_nothing_changes_and_with_it_nothing_is_added(
    matched: list[Recipient], told: dict[str, int], story_told: set[str]
) -> None:
    groups = by_channel(matched)
    wanted = without_repeated_stories(groups, told, story_told)
    assert [channel for channel in groups if channel in wanted] == list(wanted)
    for channel, kept in wanted.items():
        assert [one for one in groups[channel] if not one.once_per_story or one in kept] == kept
        assert [one for one in kept if not one.once_per_story] == [
            one for one in groups[channel] if not one.once_per_story
        ]
    left_out = groups.keys() - wanted.keys()
    assert left_out <= story_told - told.keys()
    assert left_out <= set(asking_once(groups, told))


@given(RECIPIENTS, TOLD, st.sets(CHANNELS))
def test_who_was_told_the_story_matters_only_for_those_who_are_asked_about(
    matched: list[Recipient], told: dict[str, int], story_told: set[str]
) -> None:
    groups = by_channel(matched)
    asked = set(asking_once(groups, told))
    assert without_repeated_stories(groups, told, story_told) == without_repeated_stories(
        groups, told, story_told & asked
    )


@given(RECIPIENTS, TOLD, st.integers(1, 6))
def test_what_another_source_shows_goes_to_the_untold_alone(
    matched: list[Recipient], told: dict[str, int], version: int
) -> None:
    groups = by_channel(matched)
    decided = plan(groups, told, version, NOW, only_untold=True)
    assert decided.superseded == []
    assert [row.channel_id for row in decided.deliveries] == [one for one in groups if one not in told]
    assert {row.event for row in decided.deliveries} <= {"article.published"}
