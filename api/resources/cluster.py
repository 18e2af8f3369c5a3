"""`/v1/cluster`: which processes run, and which of them leads."""

from datetime import datetime
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from api.authentication import authenticate, require_administrator
from api.services import services
from api.views import timestamp
from core.store.instances import SILENT_AFTER
from core.store.leases import current_holder
from core.store.models import Instance

blueprint = Blueprint("cluster", __name__, url_prefix="/v1/cluster")
blueprint.before_request(authenticate)

LEADER = "leader"


@blueprint.get("")
def show() -> ResponseReturnValue:
    """Show every instance heard of within a day, and the leader's id."""
    require_administrator()
    now = services().clock.now()
    with services().store.read() as session:
        leader = current_holder(session, LEADER)
        instances = session.execute(select(Instance).order_by(Instance.id)).scalars().all()
    return {"leader": leader, "instances": [_instance_view(one, now, leader) for one in instances]}


def _instance_view(instance: Instance, now: datetime, leader: str | None) -> dict[str, Any]:
    return {
        "id": instance.id,
        "role": instance.role,
        "host": instance.host,
        "version": instance.version,
        "started_at": timestamp(instance.started_at),
        "last_seen_at": timestamp(instance.last_seen_at),
        "alive": instance.last_seen_at > now - SILENT_AFTER,
        "leader": instance.id == leader,
    }
