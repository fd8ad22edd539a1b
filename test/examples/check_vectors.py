"""Feeds vectors through examples/python/local_send.py: check_vectors.py FOLDER. Ends with the first value that differs."""

import io
import json
import sys
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples/python"))
import local_send as ls  # noqa: E402

compared = 0


def same(name: str, ours: object, theirs: object) -> None:
    global compared
    compared += 1
    if ours != theirs:
        sys.exit(f"{name}: {ours}, expected {theirs}")


def refused(name: str, action) -> None:
    global compared
    compared += 1
    try:
        action()
    except ls.Refused:
        return
    sys.exit(f"{name}: accepted")


def check_agreement(name: str, v: dict, id_a: bytes, id_b: bytes, aad: bytes) -> ls.Agreement:
    w, x, y = (int(v[key], 16) for key in "wxy")
    p_a, p_b = ls.share(w, x, ls.M), ls.share(w, y, ls.N)
    same(f"{name} pA", p_a.hex(), v["pA"])
    same(f"{name} pB", p_b.hex(), v["pB"])
    same(f"{name} K of A", ls.shared_point(w, x, p_b, ls.N, p_a).hex(), v["K"])
    same(f"{name} K of B", ls.shared_point(w, y, p_a, ls.M, p_b).hex(), v["K"])
    agreement = ls.agree(id_a, id_b, p_a, p_b, bytes.fromhex(v["K"]), w, aad)
    same(f"{name} TT", agreement.transcript.hex(), v["TT"])
    same(f"{name} hashTT", sha256(agreement.transcript).hexdigest(), v["hashTT"])
    names = {"Ke": "ke", "Ka": "ka", "KcA": "kc_a", "KcB": "kc_b", "cA": "confirmation_a", "cB": "confirmation_b"}
    for theirs, ours in names.items():
        same(f"{name} {theirs}", getattr(agreement, ours).hex(), v[theirs])
    return agreement


def check_handshake(name: str, v: dict) -> None:
    sid = v["sessionId"]
    same(f"{name} passwordBytes", ls.password_bytes(v["password"]).hex(), v["passwordBytes"])
    same(f"{name} w", f"{ls.stretch(v['password'], sid):064x}", v["w"])
    id_a, id_b = ls.identities(v["kind"], sid)
    same(f"{name} idA", id_a.decode(), v["idA"])
    same(f"{name} idB", id_b.decode(), v["idB"])
    same(f"{name} aad", ls.AAD.hex(), v["aad"])
    key = ls.session_key(check_agreement(name, v, id_a, id_b, ls.AAD), sid)
    same(f"{name} sessionKey", key.hex(), v["sessionKey"])
    same(f"{name} verifier", ls.verifier(key, sid), v["verifier"])
    content_key, wrapped = bytes.fromhex(v["contentKey"]), bytes.fromhex(v["wrappedContentKey"])
    same(f"{name} wrappedContentKey", ls.wrap(key, sid, content_key, bytes.fromhex(v["wrapNonce"])).hex(), v["wrappedContentKey"])
    same(f"{name} contentKey", ls.unwrap(key, sid, wrapped), content_key)
    refused(f"{name} wrapped key for another session", lambda: ls.unwrap(key, "00000000", wrapped))
    refused(f"{name} altered wrapped key", lambda: ls.unwrap(key, sid, wrapped[:-1] + bytes((wrapped[-1] ^ 1,))))


def check_container(name: str, v: dict) -> None:
    content_key, file_id, salt = (bytes.fromhex(v[key]) for key in ("contentKey", "fileId", "salt"))
    plaintext = bytes(i % 251 for i in range(v["plaintextSize"]))
    pieces = list(ls.seal_file(
        content_key, v["writer"], file_id, io.BytesIO(plaintext), len(plaintext), part=v["part"], chunk_log2=v["chunkLog2"], salt=salt))
    container = b"".join(pieces)
    same(f"{name} header", pieces[0].hex(), v["header"])
    same(f"{name} lastTag", container[-16:].hex(), v["lastTag"])
    same(f"{name} containerSize", ls.container_size(len(plaintext), v["chunkLog2"]), v["containerSize"])
    same(f"{name} container", container.hex(), v.get("container", container.hex()))
    same(f"{name} containerSha256", sha256(container).hexdigest(), v["containerSha256"])

    def opened(data: bytes, writer: str = v["writer"], identity: bytes = file_id, part: int = v["part"], step: int = 1000) -> bytes:
        return b"".join(ls.open_file(content_key, writer, identity, (data[i : i + step] for i in range(0, len(data), step)), part=part))

    for step in (1, 1000, len(container)):
        same(f"{name} opened step={step}", opened(container, step=step) == plaintext, True)
    for length in {0, 1, 91, 92, 107, len(container) - 17, len(container) - 16, len(container) - 1}:
        if length < len(container):
            refused(f"{name} cut to {length}", lambda: opened(container[:length]))
    for addition in (b"\0", bytes(16), container[92:]):
        refused(f"{name} {len(addition)} bytes more", lambda: opened(container + addition))
    for position in [*range(92), 92, len(container) - 1]:
        flipped = container[:position] + bytes((container[position] ^ 1,)) + container[position + 1 :]
        refused(f"{name} flipped byte {position}", lambda: opened(flipped))
    refused(f"{name} other writer", lambda: opened(container, writer="A" if v["writer"] == "B" else "B"))
    refused(f"{name} other file", lambda: opened(container, identity=bytes(16)))
    refused(f"{name} other part", lambda: opened(container, part=v["part"] + 1))


def check_metadata(name: str, v: dict) -> None:
    content_key, file_id, salt, sealed = (bytes.fromhex(v[key]) for key in ("contentKey", "fileId", "salt", "sealed"))
    same(f"{name} sealed", ls.seal_metadata(content_key, v["writer"], file_id, v["json"].encode(), salt).hex(), v["sealed"])
    same(f"{name} sealed from values", ls.seal_metadata(content_key, v["writer"], file_id, json.loads(v["json"]), salt).hex(), v["sealed"])
    same(f"{name} opened", ls.open_metadata(content_key, v["writer"], file_id, sealed), json.loads(v["json"]))
    refused(f"{name} cut", lambda: ls.open_metadata(content_key, v["writer"], file_id, sealed[:-1]))
    seal = ls.Seal(ls.META, content_key, 0, v["writer"], 0, file_id, salt)
    text = v["json"].encode()
    for padding, length in ((bytes(511) + b"\1", len(text)), (bytes(512), len(text)), (b"", 5000)):
        plaintext = length.to_bytes(2, "big") + text
        plaintext += bytes(-len(plaintext) % 512)
        plaintext = plaintext[: -len(padding)] + padding if padding[-1:] == b"\1" else plaintext + padding
        forged = seal.header + seal.close(0, True, plaintext)
        refused(f"{name} padding of {len(padding)}, length {length}", lambda: ls.open_metadata(content_key, v["writer"], file_id, forged))


def check_point(name: str, v: dict) -> None:
    """ECDH as Wycheproof has it: x of private · public. Only uncompressed points may be taken, and only those on the curve."""
    public = bytes.fromhex(v["public"])
    if v["result"] == "invalid" or public[:1] != b"\4":
        refused(name, lambda: ls.multiply(1, ls.decode(public)) or ls.encode(None))
    else:
        same(name, ls.encode(ls.multiply(int(v["private"], 16), ls.decode(public)))[1:33].hex(), v["shared"])


folder = Path(sys.argv[1])
rfc = json.loads((folder / "rfc9382-p256.json").read_text())
ours = json.loads((folder / "local-send-1.json").read_text())
points = json.loads((folder / "wycheproof-ecdh-secp256r1-ecpoint.json").read_text())
same("iterations", ls.ITERATIONS, ours["iterations"])
for index, vector in enumerate(rfc["vectors"]):
    check_agreement(f"RFC 9382 {index}", vector, vector["A"].encode(), vector["B"].encode(), b"")
for kind, check in (("handshakes", check_handshake), ("containers", check_container), ("metadata", check_metadata)):
    for index, vector in enumerate(ours[kind]):
        check(f"{kind} {index}", vector)
for group in points["testGroups"]:
    for vector in group["tests"]:
        check_point(f"Wycheproof {vector['tcId']}", vector)
print(f"{compared} values")
