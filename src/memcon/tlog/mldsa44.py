"""ML-DSA-44 verification in plain Python (FIPS 204, August 2024).

For the stand-alone verifier, which has nothing but the standard library: the second, post-quantum
signature on every checkpoint. It never signs and holds no secret. "Algorithm n" below is FIPS 204's
numbering. Polynomials are lists of 256 integers modulo q, lowest power first.

    public key 1312 B = rho 32 | t1: 4 x 256 coefficients of 10 bits
    signature  2420 B = c 32 | z: 4 x 256 coefficients of 18 bits | hint 80 + 4
"""

from __future__ import annotations

from hashlib import shake_128, shake_256
from itertools import pairwise

from memcon.tlog.encoding import PublicKeyError

PUBLIC_KEY_SIZE = 1312
SIGNATURE_SIZE = 2420

# Table 1, column ML-DSA-44.
Q = 8380417
N = 256
D = 13
TAU = 39
K = L = 4
GAMMA1 = 1 << 17
GAMMA2 = (Q - 1) // 88
BETA = 78
OMEGA = 80

_Poly = list[int]


def _bit_reversed(value: int) -> int:
    """Algorithm 43, BitRev8."""
    return int(f"{value:08b}"[::-1], 2)


_ZETAS = [pow(1753, _bit_reversed(i), Q) for i in range(N)]  # Appendix B
_INVERSE_256 = pow(N, -1, Q)


def _ntt(poly: _Poly) -> _Poly:
    """Algorithm 41, NTT."""
    w = list(poly)
    m, length = 0, 128
    while length:
        for start in range(0, N, 2 * length):
            m += 1
            zeta = _ZETAS[m]
            for j in range(start, start + length):
                t = zeta * w[j + length] % Q
                w[j + length] = w[j] - t
                w[j] += t
        length >>= 1
    return [value % Q for value in w]


def _inverse_ntt(poly: _Poly) -> _Poly:
    """Algorithm 42, NTT^-1."""
    w = list(poly)
    m, length = N, 1
    while length < N:
        for start in range(0, N, 2 * length):
            m -= 1
            zeta = -_ZETAS[m]
            for j in range(start, start + length):
                t = w[j]
                w[j] = t + w[j + length]
                w[j + length] = zeta * (t - w[j + length]) % Q
        length <<= 1
    return [_INVERSE_256 * value % Q for value in w]


def _unpack(data: bytes, bits: int) -> list[int]:
    """256 little-endian fields of `bits` bits (Algorithm 18, SimpleBitUnpack)."""
    number, mask = int.from_bytes(data, "little"), (1 << bits) - 1
    return [number >> at & mask for at in range(0, N * bits, bits)]


def _reject_ntt_poly(seed: bytes) -> _Poly:
    """Algorithm 30, RejNTTPoly: SHAKE128 cut in threes, values of q and above left out (Algorithm 14).

    336 tries where Appendix C asks for at least 298: fewer than 256 hits are not to be met.
    """
    stream = shake_128(seed).digest(3 * 336)
    triples = zip(stream[::3], stream[1::3], stream[2::3], strict=True)
    values = (a | b << 8 | (c & 0x7F) << 16 for a, b, c in triples)
    return [value for value in values if value < Q][:N]


def _expand_a(rho: bytes) -> list[list[_Poly]]:
    """Algorithm 32, ExpandA: the matrix, already in the NTT domain."""
    return [[_reject_ntt_poly(rho + bytes([s, r])) for s in range(L)] for r in range(K)]


def _sample_in_ball(seed: bytes) -> _Poly:
    """Algorithm 29, SampleInBall: 39 coefficients +1 or -1, the others 0.

    248 tries where Appendix C asks for at least 121.
    """
    stream = shake_256(seed).digest(8 + 248)
    signs, tries = int.from_bytes(stream[:8], "little"), iter(stream[8:])
    poly = [0] * N
    for i in range(N - TAU, N):
        j = next(byte for byte in tries if byte <= i)
        poly[i] = poly[j]
        poly[j] = 1 - 2 * (signs & 1)
        signs >>= 1
    return poly


def _hint_unpack(data: bytes) -> list[set[int]] | None:
    """Algorithm 21, HintBitUnpack: the places of the ones of each polynomial, None if malformed.

    Each hint has one spelling: places rise within a polynomial, ends do not fall, the rest is zero.
    """
    hints, index = [], 0
    for end in data[OMEGA:]:
        if not index <= end <= OMEGA:
            return None
        places = data[index:end]
        if any(a >= b for a, b in pairwise(places)):
            return None
        hints.append(set(places))
        index = end
    return None if any(data[index:OMEGA]) else hints


def _use_hint(value: int, hinted: bool) -> int:
    """Algorithm 40, UseHint, with Algorithm 36, Decompose; `value` is in [0, q)."""
    low = value % (2 * GAMMA2)
    if low > GAMMA2:
        low -= 2 * GAMMA2
    if value - low == Q - 1:
        high, low = 0, low - 1
    else:
        high = (value - low) // (2 * GAMMA2)
    if not hinted:
        return high
    return (high + 1 if low > 0 else high - 1) % 44


def _w1_encode(w1: list[_Poly]) -> bytes:
    """Algorithm 28, w1Encode: 6 bits a coefficient."""
    packed = []
    for poly in w1:
        number = 0
        for value in reversed(poly):
            number = number << 6 | value
        packed.append(number.to_bytes(N * 6 // 8, "little"))
    return b"".join(packed)


class PublicKey:
    """An ML-DSA-44 public key, its matrix expanded; raises `PublicKeyError` for a wrong length."""

    __slots__ = ("_matrix", "_t1", "_tr", "raw")

    def __init__(self, raw: bytes) -> None:
        """Algorithm 23, pkDecode."""
        if len(raw) != PUBLIC_KEY_SIZE:
            raise PublicKeyError("ML-DSA-44 key", f"1312 bytes expected, not {len(raw)}", where="length")
        self.raw = raw
        self._tr = shake_256(raw).digest(64)
        self._matrix = _expand_a(raw[:32])
        t1 = [_unpack(raw[at : at + 320], 10) for at in range(32, PUBLIC_KEY_SIZE, 320)]
        self._t1 = [_ntt([value << D for value in poly]) for poly in t1]

    def verify(self, message: bytes, signature: bytes, context: bytes = b"") -> bool:
        """Whether the signature over the message is this key's (Algorithm 3; context up to 255 bytes)."""
        if len(signature) != SIGNATURE_SIZE or len(context) > 255:
            return False
        framed = bytes([0, len(context)]) + context + message
        return self._verify_internal(framed, signature)

    def _verify_internal(self, framed: bytes, signature: bytes) -> bool:
        """Algorithm 8, ML-DSA.Verify_internal, with Algorithm 27, sigDecode."""
        challenge = signature[:32]
        z = [
            [GAMMA1 - value for value in _unpack(signature[at : at + 576], 18)]
            for at in range(32, 32 + 576 * L, 576)
        ]
        hints = _hint_unpack(signature[32 + 576 * L :])
        if hints is None or any(abs(value) >= GAMMA1 - BETA for poly in z for value in poly):
            return False
        approximation = self._approximate(_sample_in_ball(challenge), z)
        w1 = [
            [_use_hint(value, place in hint) for place, value in enumerate(poly)]
            for poly, hint in zip(approximation, hints, strict=True)
        ]
        mu = shake_256(self._tr + framed).digest(64)
        return shake_256(mu + _w1_encode(w1)).digest(32) == challenge

    def _approximate(self, c: _Poly, z: list[_Poly]) -> list[_Poly]:
        """A z - c t1 2^d, by way of the NTT domain (Algorithms 44 to 48)."""
        c_hat, z_hat = _ntt(c), [_ntt(poly) for poly in z]
        result = []
        for row, t1 in zip(self._matrix, self._t1, strict=True):
            products = zip(*row, *z_hat, c_hat, t1, strict=True)
            total = [
                (a0 * z0 + a1 * z1 + a2 * z2 + a3 * z3 - c0 * t0) % Q
                for a0, a1, a2, a3, z0, z1, z2, z3, c0, t0 in products
            ]
            result.append(_inverse_ntt(total))
        return result


def verify(public_key: bytes, message: bytes, signature: bytes, context: bytes = b"") -> bool:
    """`PublicKey(public_key).verify(...)` for a key used once."""
    return PublicKey(public_key).verify(message, signature, context)
