"""Looks at this machine for what keeps the lab from working, and says the cure. It changes nothing."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lab.stage.certificates import make_authority, write_private
from lab.temporary import temporary_folder

OLDEST_PYTHON = (3, 12)
NEEDED_BYTES = 200 * 2**20
"""Room for the temporary files of a run; it takes a few megabytes, and SQLite dislikes a full disk."""

HOST = "doctor.lab.test"

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")

INTERCEPTORS = (
    "avast", "avg ", "bitdefender", "blue coat", "burp", "charles proxy", "checkpoint", "check point", "cisco umbrella",
    "cloudflare gateway", "eset ssl", "fiddler", "forcepoint", "fortinet", "fortigate", "kaspersky", "mitmproxy",
    "mcafee web", "netskope", "palo alto", "sophos", "squid", "zscaler",
)  # fmt: skip
"""Parts of the names of certificate authorities that products install to read TLS."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    """The lab works, but something beside it may not, or a part that is not always needed is missing."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the diagnosis; `cure` is empty where nothing needs one."""

    name: str
    state: State
    finding: str
    cure: str = ""


def examine(environment: Mapping[str, str]) -> Iterator[Check]:
    """All checks, one after the other, each as soon as it is done."""
    yield _python()
    yield _room()
    yield _ports()
    yield _proxies(environment)
    yield _own_authorities(environment)
    yield _interception_on_loopback()
    yield _interceptors_trusted()
    yield _browser()


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Check("Python", State.FAILED, version, "install Python 3.12 or newer")
    return Check("Python", State.OK, f"{version} at {sys.executable}")


def _room() -> Check:
    try:
        with temporary_folder("lab-doctor-") as folder:
            file = write_private(folder / "try", b"x")
            private = os.name != "posix" or file.stat().st_mode & 0o077 == 0
            free = shutil.disk_usage(folder).free
    except OSError as error:
        where = tempfile.gettempdir() if error.filename is None else error.filename
        cure = "set TMPDIR to a folder that you can write to"
        return Check("temporary files", State.FAILED, f"{where}: {error.strerror}", cure)
    place = tempfile.gettempdir()
    if not private:
        cure = "set TMPDIR to a folder on a local disk"
        return Check("temporary files", State.FAILED, f"{place} does not keep files private", cure)
    if free < NEEDED_BYTES:
        cure = "make room, or set TMPDIR to a folder with more of it"
        return Check("temporary files", State.FAILED, f"{place} has only {free >> 20} MB left", cure)
    return Check("temporary files", State.OK, f"{place}, {free >> 30} GB free")


def _ports() -> Check:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), 5).close()
    except OSError as error:
        cure = "let Python listen on 127.0.0.1 in the firewall, or close programs that hold many connections"
        return Check("ports", State.FAILED, f"no connection on 127.0.0.1: {error.strerror or error}", cure)
    return Check("ports", State.OK, "free ports on 127.0.0.1 can be had and reached")


def _proxies(environment: Mapping[str, str]) -> Check:
    found = [name for name in environment if name.upper() in PROXY_VARIABLES]
    if found:
        cure = "unset them where another program should reach a tap directly"
        return Check("proxy variables", State.NOTE, f"{', '.join(found)} set; the lab itself ignores them", cure)
    return Check("proxy variables", State.OK, "none set")


def _own_authorities(environment: Mapping[str, str]) -> Check:
    found = [name for name in CA_VARIABLES if environment.get(name)]
    if found:
        cure = "often the sign of a company proxy; unset them where another program should trust only the lab's CA"
        return Check("CA variables", State.NOTE, f"{', '.join(found)} set; the lab itself ignores them", cure)
    return Check("CA variables", State.OK, "none set")


def _interception_on_loopback() -> Check:
    """A TLS connection to a server of our own: some security programs read even those."""
    authority = make_authority("Lab doctor")
    with temporary_folder("lab-doctor-") as folder:
        leaf = write_private(folder / "leaf.pem", authority.issue(HOST))
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(leaf)
    trusting = ssl.create_default_context(cadata=authority.pem.decode("ascii"))
    try:
        _shake_hands(serving, trusting)
    except ssl.SSLCertVerificationError as error:
        cure = "switch off the HTTPS scanning of the antivirus or company software for 127.0.0.1"
        return Check(
            "TLS on loopback", State.FAILED, f"somebody answers with another certificate: {error.reason}", cure
        )
    except OSError as error:
        cure = "look for security software that blocks local connections"
        return Check("TLS on loopback", State.FAILED, f"no TLS connection on 127.0.0.1: {error}", cure)
    return Check("TLS on loopback", State.OK, "nobody ends TLS on the way")


def _shake_hands(serving: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def serve() -> None:
            try:
                with server.accept()[0] as plain, serving.wrap_socket(plain, server_side=True) as secured:
                    secured.recv(1)
            except OSError:
                pass  # the other end says what went wrong

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            with socket.create_connection(server.getsockname(), 5) as plain:
                trusting.wrap_socket(plain, server_hostname=HOST).close()
        finally:
            thread.join()


def _interceptors_trusted() -> Check:
    found = sorted({name for name in _trusted_names() if any(part in f"{name.lower()} " for part in INTERCEPTORS)})
    if found:
        cure = (
            "other programs' TLS is probably read on this machine; the lab trusts only its own CA and is not affected"
        )
        return Check("TLS interception", State.NOTE, f"the system trusts {', '.join(found)}", cure)
    return Check("TLS interception", State.OK, "no known interceptor among the authorities that the system trusts")


def _trusted_names() -> Iterator[str]:
    for certificate in ssl.create_default_context().get_ca_certs():
        for part in certificate.get("subject", ()):  # a tuple of ((name, value),) as ssl gives it
            for pair in part:
                if isinstance(pair, tuple) and pair[0] in ("commonName", "organizationName"):
                    yield str(pair[1])


def _browser(which: Callable[[str], str | None] = shutil.which) -> Check:
    found = next((path for name in BROWSERS if (path := which(name))), None)
    if found is None:
        cure = "install Chromium if you want to run the tests of the pages; the lab itself does not need it"
        return Check("Chromium", State.NOTE, "not found on the path", cure)
    return Check("Chromium", State.OK, found)
