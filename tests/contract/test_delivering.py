"""From ledger rows to signed requests and back, on both databases, over real sockets."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from standardwebhooks import Webhook as Verifier

import notifiers.channels
from core.egress import EgressPolicy, guarded_session
from core.registry import discover
from core.store import ledger
from core.store.engine import Store
from core.store.leases import acquire
from core.store.models import Attempt
from core.store.states import ChannelState
from notifiers.channels.base import Transports
from notifiers.delivery import DeliveryService
from notifiers.rendering import template_environment
from notifiers.sweep import Sweep
from router.service import Router
from tests.contract.test_routing import message
from tests.contract.world import SECRET, World
from tests.receiver import Receiver

POLICY = EgressPolicy((ip_network("127.0.0.0/8"),))


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def service(world: World) -> Iterator[DeliveryService]:
    transports = Transports(
        http=guarded_session(POLICY, user_agent="Clarion test"),
        mail=None,
        mail_from="clarion@example.com",
        templates=template_environment(),
        egress=POLICY,
        clock=world.clock,
    )
    service = DeliveryService(
        world.store,
        discover(notifiers.channels, "KIND"),
        transports,
        world.box,
        instance="ins_test",
        retry_schedule=(10, 100),
        clock=world.clock,
    )
    yield service
    service.close(patience_seconds=5)
    transports.http.close()
