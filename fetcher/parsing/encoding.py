"""Finding out in which encoding a document really is, rather than which one it claims."""

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(r"(?i)\bcharset\s*=\s*[\"']?([\w.:-]+)")
_XML_DECLARATION = re.compile(rb"^\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']([\w.:-]+)[\"']")
# Python's registry also holds transforms that are slow or no character sets, such as punycode and idna.
_CHARACTER_SET = re.compile(
    r"^(?:ascii|utf[-_]?(?:8|16|32)|iso8859|iso2022|cp\d|koi8|gb|big5|euc|shift|mac|hz|tis|kz1048|johab|ptcp)"
)
# A label stands for the superset that browsers read it as (WHATWG Encoding Standard, section 4.2).
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}


def decode(body: bytes, content_type: str = "") -> str:
    """Return the text of a document; what cannot be decoded becomes U+FFFD.

    A byte order mark wins, then bytes that can only be UTF-8, then what header or XML declaration say.
    """
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    wide = _wide_encoding(body)
    if wide:
        return body.decode(wide, "replace")
    if not body.isascii() and _is_utf8(body):
        return body.decode("utf-8", "replace")
    declared = _known(_from_header(content_type)) or _known(_from_declaration(body))
    return _mostly_utf8(body) if declared in (None, "utf-8") else body.decode(declared, "replace")


def _wide_encoding(body: bytes) -> str | None:
    start = body[:4]
    if start[:1] == b"<" and start[1:2] == b"\0":
        return "utf-32-le" if start[2:4] == b"\0\0" else "utf-16-le"
    if start[:1] == b"\0" and b"<" in start:
        return "utf-32-be" if start[:3] == b"\0\0\0" else "utf-16-be"
    return None


def _is_utf8(body: bytes) -> bool:
    if b"\x1b" in body or b"\0" in body:
        return False
    try:
        # Incremental, so that a document cut off inside a character still counts.
        codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return False
    return True


def _mostly_utf8(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = len(text) - len(text.encode("ascii", "ignore")) - broken
    return text if broken <= whole else body.decode("cp1252", "replace")


def _from_header(content_type: str) -> str:
    match = _CHARSET.search(content_type)
    return match[1] if match else ""


def _from_declaration(body: bytes) -> str:
    match = _XML_DECLARATION.match(body[:512])
    return match[1].decode("ascii", "replace") if match else ""


def _known(label: str) -> str | None:
    try:
        name = codecs.lookup(label).name if label else ""
    except (LookupError, ValueError):
        return None
    return _SUPERSETS.get(name, name) if _CHARACTER_SET.match(name) else None
