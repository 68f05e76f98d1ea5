"""Ed25519 verification in plain Python, strict (RFC 8032 section 5.1, without cofactor).

For the stand-alone verifier, which has nothing but the standard library. It never signs and holds
no secret, so its running time may depend on its input.

Of one message and key at most one spelling of a signature passes:
- S must be below the group order L (no second signature by adding L);
- R is computed again and its bytes compared, so R in a non-canonical encoding never passes;
- a key in a non-canonical encoding, off the curve, or of small order is refused when loaded
  (under a small-order key one signature fits many messages).

Points are extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z (Hisil et al. 2008).
"""

from __future__ import annotations

from hashlib import sha512

from memcon.tlog.encoding import PublicKeyError

PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, P) % P
_SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)

_Point = tuple[int, int, int, int]
# What an addition needs of its second point: (Y + X, Y - X, 2Z, 2dT).
_Addend = tuple[int, int, int, int]

_IDENTITY: _Point = (0, 1, 1, 0)


def _decode(data: bytes) -> _Point:
    """RFC 8032 section 5.1.3; raises `PublicKeyError` for what is no canonical point."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        raise PublicKeyError("Ed25519 key", "y is not below the field's prime", where="y")
    u, v = (y * y - 1) % P, (_D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x + u) % P == 0:
        x = x * _SQRT_MINUS_1 % P
    if (v * x * x - u) % P:
        raise PublicKeyError("Ed25519 key", "not a point on the curve", where="y")
    if x == 0 and sign:
        raise PublicKeyError("Ed25519 key", "zero has no sign", where="x")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _encode(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


def _addend(point: _Point) -> _Addend:
    x, y, z, t = point
    return (y + x) % P, (y - x) % P, 2 * z % P, 2 * _D * t % P


def _negative(addend: _Addend) -> _Addend:
    plus, minus, z, t = addend
    return minus, plus, z, P - t


def _add(point: _Point, other: _Addend) -> _Point:
    x, y, z, t = point
    plus, minus, z2, t2 = other
    a, b, c, d = (y - x) * minus % P, (y + x) * plus % P, t * t2 % P, z * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(point: _Point) -> _Point:
    x, y, z, _ = point
    a, b = x * x, y * y
    h, g = a + b, a - b
    e, f = (h - (x + y) ** 2) % P, (2 * z * z + g) % P
    h, g = h % P, g % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def _odd_multiples(point: _Point, count: int) -> tuple[_Addend, ...]:
    """1, 3, 5, ... times the point, each with its negative at the negative index."""
    twice = _addend(_double(point))
    multiples = [point]
    while len(multiples) < count:
        multiples.append(_add(multiples[-1], twice))
    positive = [_addend(one) for one in multiples]
    # table[d >> 1] serves odd digits d of either sign: -1 >> 1 is -1, the last place.
    return (*positive, *(_negative(one) for one in reversed(positive)))


def _digits(scalar: int, width: int) -> list[int]:
    """A scalar below 2^64 as digits, lowest first: 0, or odd and below 2^(width-1) in amount."""
    digits, full = [], 1 << width
    for _ in range(_CHUNK + 1):
        digit = 0
        if scalar & 1:
            digit = scalar & (full - 1)
            if digit >= full >> 1:
                digit -= full
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    return digits


# A 256-bit scalar is taken in four chunks, each with a table for its own power of two, so that one
# run of 64 doublings serves all: a key's tables are made once, and a log's key verifies many notes.
_CHUNK, _CHUNKS = 64, 4
_BASE_WIDTH, _KEY_WIDTH = 7, 5
_Tables = list[tuple[_Addend, ...]]


def _tables(point: _Point, width: int) -> _Tables:
    tables = [_odd_multiples(point, 1 << (width - 2))]
    while len(tables) < _CHUNKS:
        for _ in range(_CHUNK):
            point = _double(point)
        tables.append(_odd_multiples(point, 1 << (width - 2)))
    return tables


def _steps(scalar: int, width: int, tables: _Tables, steps: list[list[_Addend]]) -> None:
    """File the additions of scalar * point under the power of two at which they are due."""
    for chunk, table in enumerate(tables):
        part = scalar >> (_CHUNK * chunk) & ((1 << _CHUNK) - 1)
        for power, digit in enumerate(_digits(part, width)):
            if digit:
                steps[power].append(table[digit >> 1])


_BASE_TABLES = _tables(_decode((4 * pow(5, -1, P) % P).to_bytes(32, "little")), _BASE_WIDTH)


class PublicKey:
    """An Ed25519 public key that has passed the checks above; raises `PublicKeyError` otherwise."""

    __slots__ = ("_minus_key", "_tables", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != PUBLIC_KEY_SIZE:
            raise PublicKeyError("Ed25519 key", f"32 bytes expected, not {len(raw)}", where="length")
        point = _decode(raw)
        # Eight times any point has odd order, and x = 0 then means the identity.
        if _double(_double(_double(point)))[0] == 0:
            raise PublicKeyError("Ed25519 key", "a point of small order")
        self.raw = raw
        x, y, z, t = point
        self._minus_key = P - x, y, z, P - t
        self._tables: _Tables | None = None  # most of the work: made by the first use

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the 64-byte signature R || S over the message is this key's."""
        if len(signature) != SIGNATURE_SIZE:
            return False
        encoded_r = signature[:32]
        s = int.from_bytes(signature[32:], "little")
        if s >= L:
            return False
        h = int.from_bytes(sha512(encoded_r + self.raw + message).digest(), "little") % L
        return _encode(self._combine(s, h)) == encoded_r

    def _combine(self, s: int, h: int) -> _Point:
        """s * base - h * key."""
        if self._tables is None:
            self._tables = _tables(self._minus_key, _KEY_WIDTH)
        steps: list[list[_Addend]] = [[] for _ in range(_CHUNK + 1)]
        _steps(s, _BASE_WIDTH, _BASE_TABLES, steps)
        _steps(h, _KEY_WIDTH, self._tables, steps)
        result = _IDENTITY
        for due in reversed(steps):
            result = _double(result)
            for addend in due:
                result = _add(result, addend)
        return result


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """`PublicKey(public_key).verify(...)` for a key used once."""
    return PublicKey(public_key).verify(message, signature)
