"""The bytes of protocol local-send/1 (docs/protocol.md; the sections named here are that page's), written from that page alone.

What may be sealed by what, and who may open it, is decided here; what goes over HTTP is in end_to_end.py. Python's integers are
not constant-time, so whoever can measure this program closely learns something about its secrets.
"""

import base64
import hmac
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

ITERATIONS = 600_000
AAD = b"local-send/1\0\x01" + ITERATIONS.to_bytes(4, "big")


class Refused(Exception):
    """What came is not what the protocol lets come: from a server, a person in between, or a damaged disk."""


def hkdf(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)


def to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Takes the one spelling of these bytes only."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if re.fullmatch(r"[A-Za-z0-9_-]*", text) else b""
    if to_base64url(data) != text:
        raise Refused("this is not base64url without padding")
    return data


def from_hex(text: str, length: int) -> bytes:
    if not re.fullmatch(f"[0-9a-f]{{{2 * length}}}", text):
        raise Refused(f"this is not {length} bytes in hex")
    return bytes.fromhex(text)


# Section 2: passwords


def password_bytes(password: str) -> bytes:
    """Everyone who types the same characters gets the same bytes, whatever the keyboard made of them."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        raise ValueError("a password holds neither control characters nor lone surrogates")
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    normal = unicodedata.normalize("NFC", spaced).encode()
    if not 8 <= len(normal) <= 1024:
        raise ValueError("a password has 8 to 1024 bytes")
    return normal


def stretch(password: str, session_id: str) -> int:
    """The number w that stands for the password in this session. Takes a good part of a second, which is its purpose."""
    sid = session_id.encode()
    stretched = PBKDF2HMAC(hashes.SHA256(), 32, b"local-send/1 pbkdf2\0" + sid, ITERATIONS).derive(password_bytes(password))
    w = int.from_bytes(hkdf(stretched, sid, b"local-send/1 w", 48), "big") % ORDER
    if w == 0:
        raise ValueError("this password cannot be used")
    return w


# Section 3: the curve P-256, y² = x³ − 3x + B over the integers modulo PRIME. None is the point at infinity.

Point = tuple[int, int] | None

PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(p: Point, q: Point) -> Point:
    if p is None or q is None:
        return p or q
    (x1, y1), (x2, y2) = p, q
    if x1 == x2 and (y1 + y2) % PRIME == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, PRIME) if p == q else (y2 - y1) * pow(x2 - x1, -1, PRIME)
    x3 = (slope * slope - x1 - x2) % PRIME
    return x3, (slope * (x1 - x3) - y1) % PRIME


def multiply(scalar: int, point: Point) -> Point:
    product = None
    for bit in f"{scalar:b}":
        product = add(product, product)
        if bit == "1":
            product = add(product, point)
    return product


def minus(point: Point) -> Point:
    return point and (point[0], -point[1] % PRIME)


def right_side(x: int) -> int:
    return (x**3 - 3 * x + B) % PRIME


def decompress(text: str) -> Point:
    x = int(text[2:], 16)
    y = pow(right_side(x), (PRIME + 1) // 4, PRIME)
    return x, y if y % 2 == int(text[:2], 16) % 2 else PRIME - y


M = decompress("02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f")
N = decompress("03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49")


def encode(point: Point) -> bytes:
    if point is None:
        raise Refused("the point at infinity is no share")
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def decode(data: bytes) -> Point:
    x, y = int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big")
    if len(data) != 65 or data[0] != 4 or x >= PRIME or y >= PRIME or y * y % PRIME != right_side(x):
        raise Refused("this is not an uncompressed point of P-256")
    return x, y


# Section 3: SPAKE2. A, the joiner, masks its share by M; B, the creator or the server, masks its own by N.


def fresh_scalar() -> int:
    """For one attempt only."""
    return 1 + secrets.randbelow(ORDER - 1)


def share(w: int, scalar: int, mask: Point) -> bytes:
    return encode(add(multiply(w, mask), multiply(scalar, BASE)))


def shared_point(w: int, scalar: int, theirs: bytes, their_mask: Point, ours: bytes) -> bytes:
    """K, from the other side's share. Whatever it refuses counts as a failed attempt."""
    if theirs == ours:
        raise Refused("the other side sent our own share back")
    unmasked = add(decode(theirs), minus(multiply(w, their_mask)))
    if unmasked is None:
        raise Refused("the other side's share holds nothing but the mask")
    return encode(multiply(scalar, unmasked))


def identities(kind: str, session_id: str) -> tuple[bytes, bytes]:
    begin = f"local-send/1;kind={kind};session={session_id};role="
    return f"{begin}joiner".encode(), f"{begin}{'server' if kind == 'managed' else 'creator'}".encode()


@dataclass(frozen=True)
class Agreement:
    """What both sides have computed if they know the same password; the confirmations show that they do."""

    transcript: bytes
    ke: bytes
    ka: bytes
    kc_a: bytes
    kc_b: bytes
    confirmation_a: bytes
    confirmation_b: bytes


def agree(id_a: bytes, id_b: bytes, p_a: bytes, p_b: bytes, k: bytes, w: int, aad: bytes = AAD) -> Agreement:
    parts = (id_a, id_b, p_a, p_b, k, w.to_bytes(32, "big"))
    transcript = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    digest = sha256(transcript).digest()
    ke, ka = digest[:16], digest[16:]
    confirmation_keys = hkdf(ka, b"", b"ConfirmationKeys" + aad, 32)
    kc_a, kc_b = confirmation_keys[:16], confirmation_keys[16:]
    macs = (hmac.digest(key, transcript, "sha256") for key in (kc_a, kc_b))
    return Agreement(transcript, ke, ka, kc_a, kc_b, *macs)


def session_key(agreement: Agreement, session_id: str) -> bytes:
    """SK. Nobody may use it before he has checked the other side's confirmation."""
    return hkdf(agreement.ke, session_id.encode(), b"local-send/1 session", 32)


def verifier(key: bytes, session_id: str) -> str:
    """For two people who compare it by voice."""
    return hkdf(key, session_id.encode(), b"local-send/1 verifier", 8).hex(" ", 2)


# Section 4: the content key


def wrap(key: bytes, session_id: str, content_key: bytes, nonce: bytes | None = None) -> bytes:
    nonce = nonce or secrets.token_bytes(12)
    return nonce + AESGCM(wrapping_key(key, session_id)).encrypt(nonce, content_key, b"local-send/1 content key\0" + session_id.encode())


def unwrap(key: bytes, session_id: str, wrapped: bytes) -> bytes:
    if len(wrapped) != 12 + 32 + 16:
        raise Refused("the wrapped content key has another length")
    return unseal(wrapping_key(key, session_id), wrapped[:12], wrapped[12:], b"local-send/1 content key\0" + session_id.encode(), "the content key")


def wrapping_key(key: bytes, session_id: str) -> bytes:
    return hkdf(key, session_id.encode(), b"local-send/1 wrap", 32)


def unseal(key: bytes, nonce: bytes, sealed: bytes, aad: bytes, what: str) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise Refused(f"{what} was not sealed as it came") from None


# Section 5: containers

HEADER, TAG, LARGEST = 92, 16, 2**40
CHUNK_LOG2 = 0x12
FILE, META = (b"LSF1", b"local-send/1 file\0"), (b"LSM1", b"local-send/1 meta\0")


class Seal:
    """The header of a container and the key of its chunks."""

    def __init__(self, magic: tuple[bytes, bytes], content_key: bytes, chunk_log2: int, writer: str, part: int, file_id: bytes, salt: bytes):
        begin = magic[0] + bytes((1, 1, chunk_log2)) + writer.encode() + part.to_bytes(4, "big") + file_id
        keys = hkdf(content_key, salt, magic[1] + begin, 71)
        self.key, self.prefix = keys[:32], keys[64:]
        self.header = begin + salt + keys[32:64]

    def nonce(self, index: int, last: bool) -> bytes:
        return self.prefix + index.to_bytes(4, "big") + bytes((last,))

    def close(self, index: int, last: bool, plaintext: bytes) -> bytes:
        return AESGCM(self.key).encrypt(self.nonce(index, last), plaintext, self.header)

    def open(self, index: int, last: bool, sealed: bytes) -> bytes:
        return unseal(self.key, self.nonce(index, last), sealed, self.header, f"{'the last chunk' if last else 'a chunk'}, number {index},")


def check(magic: tuple[bytes, bytes], content_key: bytes, header: bytes, writer: str, part: int, file_id: bytes) -> Seal:
    """The commitment is compared before any chunk is opened, and with it all that stands in the header."""
    chunk_log2 = header[6] if len(header) == HEADER else -1
    if not (chunk_log2 == 0 if magic == META else 0x10 <= chunk_log2 <= 0x14):
        raise Refused("this is no container, or one with chunks of another size")
    seal = Seal(magic, content_key, chunk_log2, writer, part, file_id, header[28:60])
    if not hmac.compare_digest(seal.header, header):
        raise Refused("this container was made for another file, by somebody else, or without the key of this session")
    return seal


def container_size(size: int, chunk_log2: int = CHUNK_LOG2) -> int:
    return HEADER + size + TAG * max(1, -(-size // 2**chunk_log2))


def seal_file(
    content_key: bytes, writer: str, file_id: bytes, plaintext: BinaryIO, size: int,
    *, part: int = 0, chunk_log2: int = CHUNK_LOG2, salt: bytes | None = None,
) -> Iterator[bytes]:
    """Seals exactly `size` bytes under a salt of their own, so that no salt and index ever seal two different chunks."""
    if size > LARGEST:
        raise ValueError("a file has at most 2^40 bytes")
    seal = Seal(FILE, content_key, chunk_log2, writer, part, file_id, salt or secrets.token_bytes(32))
    yield seal.header
    chunk_size = 2**chunk_log2
    count = max(1, -(-size // chunk_size))
    for index in range(count):
        last = index == count - 1
        length = size - index * chunk_size if last else chunk_size
        chunk = plaintext.read(length)
        if len(chunk) != length or (last and plaintext.read(1)):
            raise ValueError("the file changed while it was read")
        yield seal.close(index, last, chunk)


def open_file(content_key: bytes, writer: str, file_id: bytes, pieces: Iterable[bytes], *, part: int = 0) -> Iterator[bytes]:
    """Yields the chunks of a container, each verified. Only after the end of the iteration was the file whole."""
    stream = Pieces(pieces)
    seal = check(FILE, content_key, stream.take(HEADER), writer, part, file_id)
    sealed_size = 2 ** seal.header[6] + TAG
    index, sealed, total = 0, stream.take(sealed_size), 0
    while True:
        following = stream.take(sealed_size)
        # Where nothing follows, this chunk must have been sealed as the last one: so neither its loss nor an addition goes unseen.
        chunk = seal.open(index, not following, sealed)
        total += len(chunk)
        if (not chunk and index > 0) or total > LARGEST:
            raise Refused("no writer makes a container like this")
        yield chunk
        if not following:
            return
        index, sealed = index + 1, following


class Pieces:
    """Bytes that come in pieces of any length, taken in lengths of our own."""

    def __init__(self, pieces: Iterable[bytes]):
        self.pieces, self.buffer = iter(pieces), bytearray()

    def take(self, length: int) -> bytes:
        """So many bytes; fewer only at the end."""
        while len(self.buffer) < length and (piece := next(self.pieces, None)) is not None:
            self.buffer += piece
        taken = bytes(self.buffer[:length])
        del self.buffer[:length]
        return taken


# Section 5: metadata


def seal_metadata(content_key: bytes, writer: str, file_id: bytes, metadata: dict | bytes, salt: bytes | None = None) -> bytes:
    text = metadata if isinstance(metadata, bytes) else json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) > 4094:
        raise ValueError("the name is too long")
    plaintext = len(text).to_bytes(2, "big") + text
    seal = Seal(META, content_key, 0, writer, 0, file_id, salt or secrets.token_bytes(32))
    return seal.header + seal.close(0, True, plaintext + bytes(-len(plaintext) % 512))


def open_metadata(content_key: bytes, writer: str, file_id: bytes, sealed: bytes) -> dict:
    seal = check(META, content_key, sealed[:HEADER], writer, 0, file_id)
    plaintext = seal.open(0, True, sealed[HEADER:])
    end = 2 + int.from_bytes(plaintext[:2], "big")
    if len(plaintext) not in range(512, 4097, 512) or len(plaintext) - end not in range(512) or any(plaintext[end:]):
        raise Refused("the metadata is not padded as it must be")
    try:
        metadata = json.loads(plaintext[2:end])
        well_formed = isinstance(metadata["name"], str) and (metadata["size"] is None or type(metadata["size"]) is int and metadata["size"] >= 0)
    except (ValueError, KeyError, TypeError):
        well_formed = False
    if not well_formed:
        raise Refused("the metadata says neither name nor size")
    return metadata
