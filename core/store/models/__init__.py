"""The tables, and which room owns each."""

from core.store.models.accounts import Account, Channel, Confirmation, Key
from core.store.models.articles import Appearance, Article, ArticleVersion
from core.store.models.base import Base
from core.store.models.cluster import Instance, Lease
from core.store.models.deliveries import Attempt, Batch, Delivery, Notice
from core.store.models.sources import Entry, HostCooldown, HubSubscription, PushedDocument, Source
from core.store.models.subscriptions import (
    Alias,
    CompiledQuery,
    RevisionMark,
    Subscription,
    SubscriptionChange,
)

__all__ = [
    "Account",
    "Alias",
    "Appearance",
    "Article",
    "ArticleVersion",
    "Attempt",
    "Base",
    "Batch",
    "Channel",
    "CompiledQuery",
    "Confirmation",
    "Delivery",
    "Entry",
    "HostCooldown",
    "HubSubscription",
    "Instance",
    "Key",
    "Lease",
    "Notice",
    "PushedDocument",
    "RevisionMark",
    "Source",
    "Subscription",
    "SubscriptionChange",
]
