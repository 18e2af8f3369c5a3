"""The guard behind the system's own resolver, in a network where every address would answer."""

from typing import Any

import pytest

from core.egress import is_permitted, parse_address
from tests.unit.core.namespaces import found_in_namespace


@pytest.fixture(scope="module")
def found() -> Any:
    """What `network_namespace` reports."""
    return found_in_namespace("tests.unit.core.network_namespace")


def test_names_of_open_addresses_are_connected_to(found: Any) -> None:
    assert found["public"]
    for address, answer in found["public"].items():
        assert answer["status"] == 204, address
        assert answer["arrived"] == [str(parse_address(address))]


def test_names_of_closed_addresses_are_not(found: Any) -> None:
    assert found["closed"]
    for address, answer in found["closed"].items():
        assert (answer["status"], answer["reason"], answer["arrived"]) == (None, "blocked", []), address
        assert answer["detail"].startswith("inside.example is not open to users' URLs: ")


def test_of_mixed_answers_only_the_open_one_is_connected_to(found: Any) -> None:
    assert (found["mixed"]["status"], found["mixed"]["arrived"]) == (204, ["8.8.8.8"])


def test_a_name_rebound_after_a_request_is_not_connected_to(found: Any) -> None:
    first, *later = found["rebound"]
    assert (first["status"], first["arrived"]) == (204, ["93.184.216.34"])
    assert [(answer["reason"], answer["arrived"]) for answer in later] == [("blocked", [])] * 4


def test_a_name_that_does_not_exist(found: Any) -> None:
    assert found["unknown"]["reason"] == "dns"


def test_a_lookup_that_never_ends_is_not_waited_for(found: Any) -> None:
    assert found["silent"]["reason"] == "dns"
    assert found["silent"]["detail"] == "the host name was not resolved in time"


def test_nothing_closed_was_connected_to_at_all(found: Any) -> None:
    assert found["everywhere"]
    assert all(is_permitted(address) for address in found["everywhere"])
