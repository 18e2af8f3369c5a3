"""What every test gets: servers, a receiver, a mailbox, and no setting of the person who runs it."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.certificates", "tests.mailbox", "tests.receiver.server", "tests.servers.fixtures"]

# How fast a machine is must not decide what a property is worth.
settings.register_profile("clarion", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("clarion")

for _name in list(os.environ):
    if _name.startswith("CLARION_") and not _name.startswith("CLARION_TEST_"):
        del os.environ[_name]
