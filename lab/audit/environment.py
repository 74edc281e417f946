"""What a program must find in its environment to be observed: authority, proxy, addresses, secrets. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

AUTHORITY_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL, so Python's ssl, httpx, aiohttp, Ruby; Go
    "REQUESTS_CA_BUNDLE",  # requests
    "CURL_CA_BUNDLE",  # curl
    "NODE_EXTRA_CA_CERTS",  # Node
    "GIT_SSL_CAINFO",  # git
    "AWS_CA_BUNDLE",  # boto3 and AWS's command line
)
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY")
SECRET_PREFIX = "LAB_SECRET_"  # noqa: S105 - the name of a variable


def environment(
    authority: str, url: str = "", proxy: str = "", secrets: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The variables to add to a program's environment; with `proxy`, everything it asks for goes there.

    LAB_URL is the address of the taps, LAB_CA the file with the authority, LAB_SECRET_NAME each secret.
    """
    found = dict.fromkeys((*AUTHORITY_VARIABLES, "LAB_CA"), authority)
    if url:
        found["LAB_URL"] = url
    # Both spellings: curl reads HTTP_PROXY in small letters only, others read capitals only.
    for name in PROXY_VARIABLES if proxy else ():
        found[name] = found[name.lower()] = proxy
    found["NO_PROXY"] = found["no_proxy"] = "" if proxy else "127.0.0.1,localhost"
    if proxy:
        found["NODE_USE_ENV_PROXY"] = "1"  # Node from version 24 on
        found["LAB_PROXY"] = proxy
    for name, value in (secrets or {}).items():
        found[variable(name)] = value
    return found


def variable(name: str) -> str:
    """The variable that holds this secret."""
    return SECRET_PREFIX + re.sub(r"\W", "_", name, flags=re.ASCII).upper()
