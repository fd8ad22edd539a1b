#!/usr/bin/env python3
"""Sends and receives files end to end: the server holds nothing that can open them. A second implementation of docs/protocol.md.

    python3 end_to_end.py send document.pdf photos.zip
    python3 end_to_end.py receive 4dc5f3e7-123456

Needs Python 3.11, httpx and cryptography (Debian: python3-httpx, python3-cryptography). The server is named by --server or
LOCAL_SEND_SERVER. The password comes from the code, from LOCAL_SEND_PASSWORD, or is asked for.
"""

import argparse
import base64
import contextlib
import getpass
import hmac
import io
import json
import mimetypes
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import httpx
import local_send as ls
from local_send import Refused

KIND = "end-to-end"
TIMEOUT = httpx.Timeout(10, read=120, write=120)
WAIT = 25
"""Seconds that one question about an attempt may stay unanswered."""
MOST_FAILURES = 5
SMALL = 2**20
"""Bytes up to which files travel together, in a form."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Send and receive files end to end through a Local Send server.")
    parser.add_argument("--server", default=os.environ.get("LOCAL_SEND_SERVER", "http://127.0.0.1:5000"))
    commands = parser.add_subparsers(required=True)
    sender = commands.add_parser("send", help="offer files until the receivers have them")
    sender.add_argument("files", type=Path, nargs="+")
    sender.add_argument("--receivers", type=int, default=1)
    sender.add_argument("--words", type=Path, help="BIP 39's English words, one a line: three of them become the password")
    sender.set_defaults(run=send)
    receiver = commands.add_parser("receive", help="fetch what is offered behind a code")
    receiver.add_argument("code")
    receiver.add_argument("--folder", type=Path, default=Path("received"))
    receiver.add_argument("--several", action="store_true", help="take what other receivers send, too")
    receiver.set_defaults(run=receive)
    options = parser.parse_args()
    with httpx.Client(base_url=f"{options.server.rstrip('/')}/api/session", timeout=TIMEOUT, event_hooks={"response": [explain]}) as client:
        options.run(client, options)


@dataclass(frozen=True)
class Member:
    """One of those who are in: calls with his token, and the key that never goes to the server."""

    client: httpx.Client
    session_id: str
    token: str
    content_key: bytes

    def call(self, method: str, path: str, **options) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return self.client.request(method, f"/{self.session_id}{path}", headers=headers, **options)

    def events(self) -> Iterator[tuple[str, dict]]:
        """What happens in the session, as it happens; goes on where a broken connection ended."""
        last = {}
        while True:
            try:
                headers = {"Authorization": f"Bearer {self.token}"} | last
                with self.client.stream("GET", f"/{self.session_id}/events", headers=headers) as answer:
                    event = {}
                    for line in answer.iter_lines():
                        field, _, value = line.rstrip("\r\n").partition(":")
                        event[field] = value.removeprefix(" ")
                        if line.strip():
                            continue
                        if "id" in event:
                            last = {"Last-Event-ID": event["id"]}
                        if "data" in event:
                            yield event.get("event", "message"), json.loads(event["data"])
                        event = {}
            except httpx.TransportError:
                pass
            time.sleep(1)


# The creator: section 4


def send(client: httpx.Client, options: argparse.Namespace) -> None:
    password = new_password(options.words) if options.words else own_password()
    ls.password_bytes(password)
    session = client.post("/create", json={"kind": KIND, "max_joiners": options.receivers}).json()
    expect_kind(session)
    member = Member(client, session["session_id"], session["token"], secrets.token_bytes(32))
    try:
        file_ids = upload(member, options.files)
        code = f"{member.session_id}-{session['verification_code']}"
        # Only a generated password stands in a code: it was drawn for this session and holds for no other.
        print(f"code {code}-{password}" if options.words else f"code {code}, and the password", flush=True)
        host(member, password, options.receivers, file_ids)
    finally:
        with contextlib.suppress(SystemExit, httpx.HTTPError):
            member.call("POST", "/close")


@dataclass
class Attempt:
    """Our half of one handshake. Its scalar is used once, and so is the confirmation that it is checked by."""

    public_key: bytes
    agreement: ls.Agreement


def host(member: Member, password: str, receivers: int, file_ids: list[str]) -> None:
    """Answers joiners until every receiver has every file. The server may play any number of joiners: so we count, too."""
    w = ls.stretch(password, member.session_id)
    attempts: dict[str, Attempt] = {}
    joined, failures, received = 0, 0, set()
    for kind, data in member.events():
        if kind == "file.received" and data["file_id"] in file_ids:
            received.add((data["file_id"], data.get("join_id")))
            print(f"received {data['file_id']}", flush=True)
        if kind == "session.closed":
            raise SystemExit("The session has ended.")
        if len(received) == len(file_ids) * receivers:
            return
        for join in member.call("GET", "/joins").json()["joins"]:
            join_id = join["join_id"]
            if joined >= receivers or failures >= MOST_FAILURES:
                break
            if join["status"] == "pending" and join_id not in attempts:
                failures += not respond(member, w, join, attempts)
            elif join["status"] == "confirmed" and join_id in attempts:
                accepted = decide(member, join, attempts.pop(join_id))
                joined, failures = joined + accepted, failures + (not accepted)
        if failures >= MOST_FAILURES:
            raise SystemExit("Somebody, perhaps the server, has guessed at the password as often as is allowed. Begin anew with another one.")


def respond(member: Member, w: int, join: dict, attempts: dict[str, Attempt]) -> bool:
    """Answers a share by ours, which is fresh for every attempt. @returns whether theirs was one"""
    y = ls.fresh_scalar()
    p_b = ls.share(w, y, ls.N)
    try:
        p_a = ls.from_hex(join["public_key"], 65)
        k = ls.shared_point(w, y, p_a, ls.M, p_b)
    except Refused as reason:
        print(f"refused a joiner: {reason}", flush=True)
        member.call("POST", f"/joins/{join['join_id']}/reject")
        return False
    attempts[join["join_id"]] = Attempt(p_b, ls.agree(*ls.identities(KIND, member.session_id), p_a, p_b, k, w))
    member.call("POST", f"/joins/{join['join_id']}/respond", json={"public_key": p_b.hex()})
    return True


def decide(member: Member, join: dict, attempt: Attempt) -> bool:
    """Only who has shown that he knows the password is shown that we know it, and given the content key."""
    path = f"/joins/{join['join_id']}"
    if not hmac.compare_digest(ls.from_hex(join["confirmation"], 32), attempt.agreement.confirmation_a):
        member.call("POST", f"{path}/reject")
        print("refused a joiner: a wrong password", flush=True)
        return False
    key = ls.session_key(attempt.agreement, member.session_id)
    wrapped = ls.to_base64url(ls.wrap(key, member.session_id, member.content_key))
    member.call("POST", f"{path}/accept", json={"confirmation": attempt.agreement.confirmation_b.hex(), "wrapped_key": wrapped})
    print(f"joined, verifier {ls.verifier(key, member.session_id)}", flush=True)
    return True


# Sending: section 5


MARK = {"name": ".", "size": 0, "type": "", "kind": "directory"}
"""A sender's last entry, an empty folder by this name: that was all. Without it a receiver cannot know, for a list grows."""


def upload(member: Member, paths: list[Path]) -> list[str]:
    """Small files together in a form, each large one by tus, and the mark. @returns their ids, which nobody but us has chosen"""
    small = [path for path in paths if path.stat().st_size <= SMALL]
    ids = [file_id for start in range(0, len(small), 50) for file_id in upload_form(member, [described(path) for path in small[start : start + 50]])]
    ids += [upload_tus(member, path) for path in paths if path not in small]
    return ids + upload_form(member, [(MARK | {"modified": rfc3339(time.time())}, b"")])


def described(path: Path) -> tuple[dict, bytes]:
    content = path.read_bytes()
    return metadata_of(path, len(content)), content


def upload_form(member: Member, files: list[tuple[dict, bytes]]) -> list[str]:
    parts, ids = [], []
    for metadata, content in files:
        file_id = secrets.token_bytes(16)
        ids.append(file_id.hex())
        sealed = b"".join(ls.seal_file(member.content_key, "B", file_id, io.BytesIO(content), len(content)))
        parts += [
            ("file_id", (None, file_id.hex())),
            ("metadata", (None, sealed_metadata(member, file_id, metadata))),
            ("file", ("file", sealed, "application/octet-stream")),
        ]
    member.call("POST", "/upload", files=parts)
    return ids


def upload_tus(member: Member, path: Path) -> str:
    file_id = secrets.token_bytes(16)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        values = {"file_id": file_id.hex(), "metadata": sealed_metadata(member, file_id, metadata_of(path, size))}
        length, version = str(ls.container_size(size)), {"Tus-Resumable": "1.0.0"}
        metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())
        begun = member.call("POST", "/uploads", headers=version | {"Upload-Length": length, "Upload-Metadata": metadata})
        if begun.headers["Location"].split("/")[-1] != file_id.hex():
            raise Refused("the server gave the file another id")
        piece = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream", "Content-Length": length}
        sealed = ls.seal_file(member.content_key, "B", file_id, file, size)
        member.call("PATCH", f"/uploads/{file_id.hex()}", headers=version | piece, content=sealed)
    return file_id.hex()


def sealed_metadata(member: Member, file_id: bytes, metadata: dict) -> str:
    return ls.to_base64url(ls.seal_metadata(member.content_key, "B", file_id, metadata))


def metadata_of(path: Path, size: int) -> dict:
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {"name": path.name, "size": size, "type": content_type, "modified": rfc3339(path.stat().st_mtime)}


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# The joiner: section 4


def receive(client: httpx.Client, options: argparse.Namespace) -> None:
    session_id, code, password = parse_code(options.code)
    member = join(client, session_id, code, password if password is not None else own_password())
    taken: dict[str, bool] = {}
    mark = None
    while mark is None:
        # All that is on a list with the mark was put there before it.
        entries = [entry for entry in list_files(member) if entry["file_id"] not in taken]
        for entry in entries:
            metadata = describe(member, entry, options.several)
            if is_mark := metadata is not None and metadata["name"] == MARK["name"] and metadata.get("kind") == "directory":
                mark = entry["file_id"]
            taken[entry["file_id"]] = is_mark or metadata is not None and take(member, entry, metadata, options.folder)
            if taken[entry["file_id"]] and not is_mark:
                confirm(member, entry["file_id"])
        time.sleep(0 if entries else 1)
    # At the very end: when the sender has heard of it, the session may be over.
    confirm(member, mark)
    if not all(taken.values()):
        raise SystemExit("Not everything could be received.")


def join(client: httpx.Client, session_id: str, code: str, password: str) -> Member:
    w, x = ls.stretch(password, session_id), ls.fresh_scalar()
    p_a = ls.share(w, x, ls.M)
    attempt = client.post(f"/{session_id}/join", json={"verification_code": code, "public_key": p_a.hex()}).json()
    expect_kind(attempt)
    member = Member(client, session_id, attempt["token"], b"")
    path = f"/joins/{attempt['join_id']}"

    answered = wait_while(member, path, "pending")
    p_b = ls.from_hex(answered["public_key"], 65)
    agreement = ls.agree(*ls.identities(KIND, session_id), p_a, p_b, ls.shared_point(w, x, p_b, ls.N, p_a), w)
    guesses = count_guess(session_id)
    member.call("POST", f"{path}/confirm", json={"confirmation": agreement.confirmation_a.hex()})
    confirmed = wait_while(member, path, "confirmed")
    if not hmac.compare_digest(ls.from_hex(confirmed["confirmation"], 32), agreement.confirmation_b):
        raise Refused("the other side does not know the password: a mistake, or somebody is in between")
    guesses.unlink()
    key = ls.session_key(agreement, session_id)
    print(f"joined, verifier {ls.verifier(key, session_id)}", flush=True)
    return Member(client, session_id, attempt["token"], ls.unwrap(key, session_id, ls.from_base64url(confirmed["wrapped_key"])))


def wait_while(member: Member, path: str, status: str) -> dict:
    """Asks until the attempt has another status than this one, which must be the next one or the end."""
    while (attempt := member.call("GET", path, params={"wait": WAIT, "after": status}).json())["status"] == status:
        pass
    if attempt["status"] == "rejected":
        raise SystemExit("The other side has refused: the password was wrong.")
    if attempt["status"] == "expired":
        raise SystemExit("The other side did not answer in time. Is its program running?")
    if attempt["status"] != {"pending": "answered", "confirmed": "joined"}[status]:
        raise Refused(f"an attempt went from {status} to {attempt['status']}")
    return attempt


def count_guess(session_id: str) -> Path:
    """Every confirmation lets a server that is in between guess once, so they are counted, over all runs, until one is answered
    by a right one. @returns the file of the count"""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "local-send-python"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state / session_id).open("ab") as count:
        if count.tell() >= MOST_FAILURES:
            raise SystemExit("Five attempts have failed: the server may be guessing the password. Begin anew with another one.")
        count.write(b".")
        count.flush()
        os.fsync(count.fileno())
    return state / session_id


# Receiving: section 5


def list_files(member: Member) -> list[dict]:
    """All pages of the list."""
    files, cursor = [], ""
    while cursor is not None:
        page = member.call("GET", "/files", params={"cursor": cursor} if cursor else {}).json()
        files, cursor = files + page["files"], page["next_cursor"]
    return files


def confirm(member: Member, file_id: str) -> None:
    member.call("POST", f"/files/{file_id}/received")


def writer_of(entry: dict) -> str:
    return "B" if entry["uploaded_by"] == "creator" else "A"


def describe(member: Member, entry: dict, several: bool) -> dict | None:
    """What its sender says of a file; nothing if it is not from one whom we accept."""
    try:
        if writer_of(entry) == "A" and not several:
            raise Refused("it comes from another receiver")
        return ls.open_metadata(member.content_key, writer_of(entry), ls.from_hex(entry["file_id"], 16), ls.from_base64url(entry["metadata"]))
    except Refused as reason:
        print(f"refused {entry['file_id']}: {reason}", file=sys.stderr, flush=True)
        return None


def take(member: Member, entry: dict, metadata: dict, folder: Path) -> bool:
    """Fetches one file. It stands under its name when its last chunk has been verified, and not before. @returns whether it does"""
    try:
        target = safe_target(folder, metadata["name"])
        if metadata.get("kind") == "directory":
            target.mkdir(parents=True, exist_ok=True)
        else:
            save(member, writer_of(entry), ls.from_hex(entry["file_id"], 16), metadata["size"], target)
    except (Refused, FileExistsError) as reason:
        print(f"refused {printable(metadata['name'])}: {reason}", file=sys.stderr, flush=True)
        return False
    print(f"received {printable(metadata['name'])}", flush=True)
    return True


def save(member: Member, writer: str, file_id: bytes, size: int | None, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".partial") as partial:
        headers = {"Authorization": f"Bearer {member.token}"}
        with member.client.stream("GET", f"/{member.session_id}/download/{file_id.hex()}", headers=headers) as answer:
            for chunk in ls.open_file(member.content_key, writer, file_id, answer.iter_bytes()):
                partial.write(chunk)
        if size is not None and partial.tell() != size:
            raise Refused(f"{partial.tell()} bytes came, {size} were announced")
        partial.flush()
        os.link(partial.name, target)  # unlike a rename, this never replaces a file


def safe_target(folder: Path, name: str) -> Path:
    """Where a file of this name goes: below the folder, whatever the sender would like."""
    steps = name.split("/")
    if any(step in ("", ".", "..") or step != printable(step) or re.search(r'[\\:*?"<>|]', step) or len(step.encode()) > 200 for step in steps):
        raise Refused(f"{printable(name)} is no name that is safe to write")
    target = folder.joinpath(*steps)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise Refused(f"{printable(name)} leads out of {folder}")
    return target


def printable(text: str) -> str:
    """Without what would move the cursor, turn the reading direction, or write on another line."""
    return "".join(character if character.isprintable() else "?" for character in text)


# What both need: section 2


def parse_code(text: str) -> tuple[str, str, str | None]:
    """@returns session id, verification code and the password, if it was generated"""
    spelled = "-".join(text.rpartition("#")[2].lower().split())
    if not (parts := re.fullmatch(r"([0-9a-f]{8})-([0-9]{6})(?:-(.+))?", spelled)):
        raise SystemExit("A code looks like 4dc5f3e7-123456 or 4dc5f3e7-123456-absent-mango-river.")
    return parts[1], parts[2], parts[3]


def new_password(words: Path) -> str:
    words = words.read_text().split()
    if len(set(words)) != 2048:
        raise SystemExit("BIP 39's English list has 2048 words.")
    return "-".join(secrets.choice(words) for _ in range(3))


def own_password() -> str:
    return os.environ.get("LOCAL_SEND_PASSWORD") or getpass.getpass("Password of the session: ")


def expect_kind(answer: dict) -> None:
    if answer["kind"] != KIND:
        raise Refused(f"the server says that this session is {answer['kind']}: it would learn what is sent")


def explain(answer: httpx.Response) -> None:
    """Ends with the server's own sentence when it refuses."""
    if answer.is_error:
        answer.read()
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        raise SystemExit(answer.json()["message"] if is_json else f"{answer.status_code} {answer.reason_phrase}")


if __name__ == "__main__":
    try:
        main()
    except (Refused, ValueError, httpx.HTTPError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
