"""Both indexes, of which every promise must hold."""

import os
from collections.abc import Callable, Mapping

import pytest

from router.matching import CompiledIndex, Index, Matcher, is_compiled
from router.plain_index import PlainIndex

NewMatcher = Callable[..., Matcher]

# Where nothing may be missing, the compiled core may not be either.
if_built = pytest.mark.skipif(
    not is_compiled() and not os.environ.get("CI"), reason="built without a compiler"
)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(PlainIndex, id="plain"),
        pytest.param(CompiledIndex, id="compiled", marks=if_built),
    ],
)
def new_index(request: pytest.FixtureRequest) -> Callable[[], Index]:
    """What makes an empty index."""
    kind: Callable[[], Index] = request.param
    return kind


@pytest.fixture(scope="module")
def new_matcher(new_index: Callable[[], Index]) -> NewMatcher:
    """What makes an empty matcher upon that index."""

    def make(aliases: Mapping[str, str] | None = None) -> Matcher:
        return Matcher(aliases, index=new_index())

    return make
