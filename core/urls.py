"""Web addresses: what they consist of, and telling when two mean one page."""

import re
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from core.text import web_url

# What campaigns, mailers, share buttons and analytics append; none of it selects what is shown.
_TRACKING_NAME = re.compile(
    r"(?:_ga|_gl|_hsenc|_hsmi|_openstat|amp_gsa|amp_js_v|at_medium|cmp|dclid|emc|fbclid|gbraid|gclid|gclsrc"
    r"|guccounter|guce_referrer|guce_referrer_sig|hsctatracking|icid|igsh|igshid|ito|li_fat_id|mc_cid|mc_eid"
    r"|mkt_tok|msclkid|ncid|ocid|oly_anon_id|oly_enc_id|rb_clickid|ref_src|ref_url|s_cid|smid|soc_src|soc_trk"
    r"|sr_share|ttclid|twclid|usqp|vero_conv|vero_id|wbraid|wickedid|xtor|yclid"
    r"|(?:utm_|mtm_|pk_|piwik_|hsa_|at_campaign|at_custom|ns_|__hs).*)"
)
_AMP_VALUES = {"amp": {"", "1", "true"}, "outputtype": {"amp"}}
_DEFAULT_PORTS = (None, 80, 443)

_ESCAPED_AMPERSAND = re.compile(r"(?i)&(?:(?:amp|#0{0,4}38|#x0{0,4}26);)+")
_LEADING_AMP = re.compile(r"(?i)^(?:amp;)+")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HOME_PAGE = re.compile(r"/(?:(?:index|default|home)\.\w{2,5})?")
_AMP_SUFFIX = re.compile(r"(?<=[^/])(?:\.amp)+(?=(?:\.html?)?$)")


@lru_cache(maxsize=1_024)
def canonical_url(url: str) -> str | None:
    """Return the form in which addresses of one page are equal, a key to compare and not to visit.

    The scheme is always https; host case, default ports, tracking parameters, fragments (other than
    hash-bangs) and AMP variants make no difference; the order of parameters does. None if `url` is
    not an http or https address.
    """
    parts = split_address(_ESCAPED_AMPERSAND.sub("&", url))
    if parts is None:
        return None
    path, query = _without_amp_path(_normal_escapes(parts.path)), _essential_query(parts.query)
    fragment = _normal_escapes(parts.fragment) if parts.fragment.startswith("!") else ""
    return urlunsplit(("https", _authority(parts), path or "/", query, fragment))


def article_page(url: str | None) -> str | None:
    """Return the canonical address of the page that an article is, None if `url` cannot be one's identity.

    A home page is none: what stands there is another article tomorrow.
    """
    canonical = canonical_url(url) if url else None
    if canonical is None:
        return None
    parts = urlsplit(canonical)
    is_home = not (parts.query or parts.fragment) and _HOME_PAGE.fullmatch(parts.path.lower())
    return None if is_home else canonical


def host_of(url: str | None) -> str:
    """Return the host of an address in lower case, empty if it has none."""
    parts = split_address(url) if url else None
    return (parts.hostname or "") if parts else ""


def split_address(url: str) -> SplitResult | None:
    """Return the parts of an http or https address that a GET could be made to, else None."""
    clean = web_url(url)
    if clean is None:
        return None
    try:
        parts = urlsplit(clean)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _authority(parts: SplitResult) -> str:
    host = _without_amp_host(_ascii_host(parts.hostname or ""))
    host = f"[{host}]" if ":" in host else host
    # Since http and https are equal here, either default port is the default.
    host = host if parts.port in _DEFAULT_PORTS else f"{host}:{parts.port}"
    userinfo = parts.netloc.rpartition("@")[0]
    return f"{userinfo}@{host}" if userinfo else host


def _ascii_host(host: str) -> str:
    host = host.rstrip(".") or host
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host


def _without_amp_host(host: str) -> str:
    rest = host.removeprefix("amp.")
    return f"www.{rest}" if rest != host and "." in rest else host


def _without_amp_path(path: str) -> str:
    slash = "/" if path.endswith("/") else ""
    kept = path.removesuffix("/")
    while kept.endswith("/amp") and kept.removesuffix("/amp").strip("/"):
        kept = kept.removesuffix("/amp")
    return _AMP_SUFFIX.sub("", kept) + slash


def _essential_query(query: str) -> str:
    parameters = (_LEADING_AMP.sub("", parameter) for parameter in query.split("&"))
    return "&".join(_normal_escapes(one) for one in parameters if one and not _is_noise(one))


def _is_noise(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    name = unquote(name).lower()
    if _TRACKING_NAME.fullmatch(name):
        return True
    return value.lower() in _AMP_VALUES.get(name, ()) or (name == "source" and value.startswith("rss-"))


def _normal_escapes(text: str) -> str:
    """Write percent escapes in one way (RFC 3986, section 6.2.2)."""
    ascii_only = text if text.isascii() else "".join(c if c.isascii() else _escaped(c) for c in text)
    return _PERCENT.sub(_normal_escape, _LONE_PERCENT.sub("%25", ascii_only))


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[0][1:], 16))
    return character if character in _UNRESERVED else match[0].upper()
