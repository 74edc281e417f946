"""A real messenger: a Matrix server (Synapse, with SQLite) and two clients (matrix-nio), none of it written here.

In a room without encryption the server reads the text, and keeps it. In an encrypted one (Megolm) it does not; who
writes in which room still shows, and is kept.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from lab.audit.window import Audit, LeakError, View, Window
from lab.stage.stage import LOOPBACK
from tests.examples.conftest import Find

READY = "now listening on"


@dataclass(frozen=True)
class Server:
    url: str
    database: Path


@pytest.fixture(scope="module")
def synapse(python_with: Find, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = python_with("synapse")
    folder = tmp_path_factory.mktemp("synapse")
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    often = {"per_second": 1000, "burst_count": 1000}
    settings = {
        "server_name": "chat.lab.test",
        "listeners": [
            {"port": port, "type": "http", "bind_addresses": [LOOPBACK], "resources": [{"names": ["client"]}]}
        ],
        "database": {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}},
        "log_config": str(folder / "log.yaml"),
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "pid_file": str(folder / "pid"),
        "trusted_key_servers": [],
        "report_stats": False,
        "macaroon_secret_key": "for a test",
        "enable_registration": True,
        "enable_registration_without_verification": True,
        "rc_registration": often,
        "rc_message": often,
        "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), often),
        "federation_domain_whitelist": [],
    }
    logs = {
        "version": 1,
        "formatters": {"plain": {"format": "%(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
        "root": {"level": "INFO", "handlers": ["console"]},
        "disable_existing_loggers": False,
    }
    (folder / "log.yaml").write_text(json.dumps(logs), "utf-8")  # JSON is YAML
    (folder / "homeserver.yaml").write_text(json.dumps(settings), "utf-8")
    start = [python, "-m", "synapse.app.homeserver", "-c", str(folder / "homeserver.yaml")]
    subprocess.run([*start, "--generate-keys"], cwd=folder, check=True, capture_output=True)
    with subprocess.Popen(start, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if READY in line:
                break
        else:
            pytest.fail("Synapse did not start:\n" + "".join(said[-20:]))
        drain = Thread(target=process.stderr.read)  # a full pipe would stop it
        drain.start()
        try:
            yield Server(f"http://{LOOPBACK}:{port}", folder / "homeserver.db")
        finally:
            process.terminate()
            drain.join()


CHAT = """
import asyncio, os, sys
from nio import AsyncClient, AsyncClientConfig, RoomMessageText

URL, STORES, ENCRYPTED = os.environ["LAB_URL"], sys.argv[1], sys.argv[2] == "encrypted"
BODY = os.environ["LAB_SECRET_BODY"]

async def join(name):
    folder = os.path.join(STORES, name)
    os.makedirs(folder)
    config = AsyncClientConfig(store_sync_tokens=True, encryption_enabled=True)
    client = AsyncClient(URL, name, store_path=folder, config=config)
    answer = await client.register(name, os.environ["LAB_SECRET_PASSWORD"] + name)
    assert hasattr(answer, "access_token"), answer
    client.load_store()
    await client.sync(0)
    if client.should_upload_keys:
        await client.keys_upload()
    return client

async def main():
    alice, bob = await join(os.environ["LAB_SECRET_ALICE"]), await join(os.environ["LAB_SECRET_BOB"])
    got = asyncio.Event()
    def hear(room, event):
        if event.sender == alice.user_id:
            print("bob got", event.body)
            got.set()
    bob.add_event_callback(hear, RoomMessageText)
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room = await alice.room_create(invite=[bob.user_id], initial_state=[encryption] if ENCRYPTED else [])
    await bob.join(room.room_id)
    for client in (bob, alice):
        await client.sync(0, full_state=True)
        if client.should_query_keys:
            await client.keys_query()
    content = {"msgtype": "m.text", "body": BODY}
    sent = await alice.room_send(room.room_id, "m.room.message", content, ignore_unverified_devices=True)
    assert hasattr(sent, "event_id"), sent
    while not got.is_set():
        await bob.sync(1000)
    for client in (alice, bob):
        await client.close()

asyncio.run(asyncio.wait_for(main(), 60))
"""


def talk(audit: Audit, lab: Window, python: str, folder: Path, kind: str) -> None:
    done = subprocess.run(
        [python, "-c", CHAT, str(folder / "stores"), kind],
        env={**os.environ, **lab.env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"bob got {audit.named('body')}" in done.stdout
    lab.confirm("body", "alice", "bob")


@pytest.fixture
def named(audit: Audit) -> Audit:
    """With the secrets of a conversation; accounts have small letters and digits only."""
    for name in ("body", "alice", "bob", "password"):
        audit.secret(name)
    return audit


def observed(audit: Audit, server: Server, python: str, folder: Path, kind: str) -> tuple[Window, View]:
    with audit.observe(server.url, tls=True) as lab:
        at_rest = lab.watch(server.database, "database")
        talk(audit, lab, python, folder, kind)
    return lab, at_rest


def test_in_a_room_without_encryption_the_server_reads_along(
    named: Audit, synapse: Server, python_with: Find, tmp_path: Path
) -> None:
    lab, at_rest = observed(named, synapse, python_with("nio"), tmp_path, "plain")
    lab.network.hides("body", "alice", "bob")
    lab.server.exposes("body", "alice", "bob")
    at_rest.exposes("body", "alice", "bob")
    for view in (lab.server, at_rest):
        with pytest.raises(LeakError):
            view.hides("body")


def test_in_an_encrypted_room_it_does_not_but_sees_who_writes(
    named: Audit, synapse: Server, python_with: Find, tmp_path: Path
) -> None:
    lab, at_rest = observed(named, synapse, python_with("nio"), tmp_path, "encrypted")
    for view in (lab.network, lab.server, at_rest):
        view.hides("body")
    for view in (lab.server, at_rest):
        view.exposes("alice", "bob")
