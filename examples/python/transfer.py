#!/usr/bin/env python3
"""Sends a file through a Local Send server and fetches it as the other side would.

    python3 transfer.py [--server http://127.0.0.1:5000] [--folder received] [document.pdf]

Needs Python 3.11 and httpx (Debian: python3-httpx). The server is named by --server or LOCAL_SEND_SERVER. The password comes
from LOCAL_SEND_PASSWORD or is asked for: arguments can be read by every user of the machine.
"""

import argparse
import getpass
import hashlib
import os
from pathlib import Path

import httpx

TIMEOUT = httpx.Timeout(10, read=120, write=120)


def main() -> None:
    parser = argparse.ArgumentParser(description="Send a file through a Local Send server and fetch it again.")
    parser.add_argument("file", type=Path, nargs="?", default=Path("document.pdf"))
    parser.add_argument("--server", default=os.environ.get("LOCAL_SEND_SERVER", "http://127.0.0.1:5000"))
    parser.add_argument("--folder", type=Path, default=Path("received"), help="where the fetched file goes")
    options = parser.parse_args()
    password = os.environ.get("LOCAL_SEND_PASSWORD") or getpass.getpass("Password of the session: ")

    base_url = f"{options.server.rstrip('/')}/api/session"
    with httpx.Client(base_url=base_url, timeout=TIMEOUT, event_hooks={"response": [explain]}) as client:
        session = client.post("/create", json={"password": password}).json()
        session_id, code = session["session_id"], session["verification_code"]
        print(f"session {session_id}, code {code}")

        uploaded = upload(client, session_id, session["token"], options.file)
        print(f"sent {uploaded['filename']}, {uploaded['size']} bytes")

        # From here on: what the other side does, who was told the session id, the code and the password.
        joined = client.post(f"/{session_id}/join", json={"verification_code": code, "password": password}).json()
        listing = client.get(f"/{session_id}/files", headers=bearer(joined["token"])).json()
        for file in listing["files"]:
            print(f"received {download(client, session_id, joined['token'], file, options.folder)}")

        client.post(f"/{session_id}/close", headers=bearer(session["token"]))


def upload(client: httpx.Client, session_id: str, token: str, path: Path) -> dict:
    """Streams a file from the disk. The digest stands before it, so the server keeps nothing that arrived damaged."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        answer = client.post(f"/{session_id}/upload", headers=bearer(token), data={"sha256": digest}, files={"file": file})
    return answer.json()["files"][0]


def download(client: httpx.Client, session_id: str, token: str, file: dict, folder: Path) -> Path:
    """Streams a file to the disk. It gets its name only when it is whole and its digest is the one that was listed."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / Path(file["filename"]).name  # a name from somebody else must not lead out of the folder
    partial = target.with_name(f"{target.name}.partial")
    digest = hashlib.sha256()
    try:
        with client.stream("GET", f"/{session_id}/download/{file['file_id']}", headers=bearer(token)) as answer:
            with partial.open("wb") as output:
                for chunk in answer.iter_bytes():
                    digest.update(chunk)
                    output.write(chunk)
        if digest.hexdigest() != file["sha256"]:
            raise SystemExit(f"{target} arrived damaged; nothing was kept")
        if target.exists():
            raise SystemExit(f"{target} is there already; nothing was overwritten")
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def explain(answer: httpx.Response) -> None:
    """Ends with the server's own sentence when it refuses."""
    if answer.is_error:
        answer.read()
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        raise SystemExit(answer.json()["message"] if is_json else f"{answer.status_code} {answer.reason_phrase}")


if __name__ == "__main__":
    try:
        main()
    except (httpx.HTTPError, OSError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
