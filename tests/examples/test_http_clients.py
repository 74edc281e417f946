"""requests, httpx, aiohttp, curl and Node open an account at a service: who sees the password?

With TLS the network does not, and the twin without TLS shows that it would have been seen. The operator gets it in any
case, and does not keep it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab.audit.window import Audit, LeakError, Window
from tests.examples.conftest import Find, program

_DATA = """
import json, os
url = os.environ["LAB_URL"] + "/v1/accounts"
account = {"name": os.environ["LAB_SECRET_NAME"], "password": os.environ["LAB_SECRET_PASSWORD"]}
"""

PYTHON = {
    "requests": "import requests\nprint(requests.post(url, json=account).json()['name'])",
    "httpx": "import httpx\nprint(httpx.post(url, json=account).json()['name'])",
    "aiohttp": """
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession(trust_env=True) as client, client.post(url, json=account) as answer:
        print((await answer.json())["name"])
asyncio.run(main())
""",
}

NODE = """
const account = {name: process.env.LAB_SECRET_NAME, password: process.env.LAB_SECRET_PASSWORD}
const options = {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(account)}
fetch(process.env.LAB_URL + "/v1/accounts", options).then(one => one.json()).then(one => console.log(one.name))
"""


def starting(client: str, python_with: Find, lab: Window, secrets: dict[str, str]) -> list[str]:
    if client == "curl":
        headers = ["-H", "Content-Type: application/json"]
        return [program("curl"), "-sSf", *headers, "-d", json.dumps(secrets), f"{lab.url}/v1/accounts"]
    if client == "Node":
        return [program("node"), "-e", NODE]
    return [python_with(client), "-c", _DATA + PYTHON[client]]


def signs_up(audit: Audit, lab: Window, client: str, python_with: Find) -> None:
    """The client opens an account, and shows the name that the service answers with."""
    secrets = {"name": audit.named("name"), "password": audit.named("password")}
    done = subprocess.run(
        starting(client, python_with, lab, dict(secrets)),
        env={**os.environ, **lab.env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert audit.named("name") in done.stdout
    lab.confirm("name", "password")  # the service has made the account, and gave its name back


CLIENTS = [*PYTHON, "curl", "Node"]


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("client", CLIENTS)
def test_who_sees_a_password(
    audit: Audit, service: str, tmp_path: Path, python_with: Find, client: str, *, tls: bool
) -> None:
    audit.secret("name")
    audit.secret("password")
    with audit.observe(service, tls=tls) as lab:
        kept = lab.watch(tmp_path / "service.sqlite")
        signs_up(audit, lab, client, python_with)
    lab.server.exposes("name", "password")
    kept.exposes("name")
    kept.hides("password")
    if tls:
        lab.network.hides("name", "password")
    else:
        with pytest.raises(LeakError, match="name is exposed at network"):
            lab.network.hides("name")
        with pytest.raises(LeakError, match="password is exposed at network"):
            lab.network.hides("password")


@pytest.mark.parametrize("client", PYTHON)
def test_a_client_finds_the_proxy_in_its_environment(
    audit: Audit, service: str, python_with: Find, client: str
) -> None:
    secrets = audit.secret("name"), audit.secret("password")
    python = python_with(client)
    with audit.observe() as lab:
        environment = {**os.environ, **lab.env, "LAB_URL": service}
        command = [python, "-c", _DATA + PYTHON[client]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        lab.confirm(*secrets)
    lab.network.exposes(*secrets)
    lab.server.exposes(*secrets)
