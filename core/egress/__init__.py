"""The guarded way out: every connection that is made for a user passes through here."""

from core.egress.addresses import Address, Network, is_permitted, parse_address, refusal
from core.egress.errors import Blocked, BlockedAddress, BlockedUrl, TooLarge
from core.egress.exchange import PushAnswer, PushRequest
from core.egress.failures import classify
from core.egress.masking import masked_url
from core.egress.policy import EgressPolicy
from core.egress.reading import read_capped
from core.egress.redirects import Arrival, Hop, get_following_redirects
from core.egress.resolving import Resolver, system_resolver
from core.egress.session import GuardedSession, guarded_session
from core.egress.transfers import Transfer
from core.egress.urls import Target, check_url, check_url_now, origin_of, spell_url

__all__ = [
    "Address",
    "Arrival",
    "Blocked",
    "BlockedAddress",
    "BlockedUrl",
    "EgressPolicy",
    "GuardedSession",
    "Hop",
    "Network",
    "PushAnswer",
    "PushRequest",
    "Resolver",
    "Target",
    "TooLarge",
    "Transfer",
    "check_url",
    "check_url_now",
    "classify",
    "get_following_redirects",
    "guarded_session",
    "is_permitted",
    "masked_url",
    "origin_of",
    "parse_address",
    "read_capped",
    "refusal",
    "spell_url",
    "system_resolver",
]
