"""The `content_hash` of a vCon: `sha512-<base64url, unpadded>` (draft-ietf-vcon-vcon-core §2.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

_HASH = re.compile(r"(sha256|sha384|sha512)-([A-Za-z0-9_-]+)")


def parse_content_hash(text: str) -> tuple[str, bytes] | None:
    """(algorithm, digest); None for what is none."""
    match = _HASH.fullmatch(text)
    if match is None:
        return None
    try:
        digest = base64.urlsafe_b64decode(match[2] + "=" * (-len(match[2]) % 4))
    except (binascii.Error, ValueError):
        return None
    return (match[1], digest) if len(digest) == hashlib.new(match[1]).digest_size else None
