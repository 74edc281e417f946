"""The server observer: the operator's own front end, which ends TLS and reads each request and response.

    mitmdump -s addons/server_observer.py --mode reverse:http://127.0.0.1:PORT --certs '*=KEY_AND_CERT.pem' \\
             --set keep_host_header=true --listen-host 127.0.0.1 --listen-port 8443

PORT is where the service itself listens; clients connect to 8443, with TLS or without. Without --certs the
certificate comes from mitmproxy's own CA. `mitmproxy` and `mitmweb` take the same arguments.

    --set lab_record=FILE          also write every request and response into the new FILE (JSON lines)
    --set lab_secret=body=VALUE    mark and comment flows in which VALUE can be read, however it is encoded
    --set lab_tls_only=true        send whoever comes without TLS to https://, and have clients remember it (HSTS);
                                   but text messages (SMS), where the service has them, know no TLS

Messages of the lab's own service are shown with each end-to-end encrypted envelope taken apart, field by field: the
content view "Envelopes".

Only for traffic that is your own.
"""

from mitmproxy import contentviews, ctx, http
from mitmproxy.addonmanager import Loader

from lab.model import Observer
from lab.stage.envelope_view import EnvelopeView
from lab.stage.http_tap import HttpTap
from lab.stage.tap_side import recorded

TEXT_MESSAGES = "/v1/text-messages"
"""What phones without internet use."""

STRICT = ("Strict-Transport-Security", "max-age=31536000")
"""For a year (RFC 6797)."""


class ServerObserver(HttpTap):
    def __init__(self) -> None:
        super().__init__(Observer.SERVER)
        self._tls_only = False

    def load(self, loader: Loader) -> None:
        super().load(loader)
        loader.add_option("lab_tls_only", bool, False, "Send whoever comes without TLS to https://, and announce HSTS.")
        contentviews.add(EnvelopeView())

    def configure(self, updated: set[str]) -> None:
        super().configure(updated)
        self._tls_only = ctx.options.lab_tls_only

    @recorded
    def request(self, flow: http.HTTPFlow) -> None:
        super().request(flow)
        plain = not flow.client_conn.tls_established and not flow.request.path.startswith(TEXT_MESSAGES)
        if self._tls_only and plain:
            place = f"https://{flow.request.host_header or ''}{flow.request.path}"
            flow.response = http.Response.make(308, b"", {"Location": place})

    @recorded
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if self._tls_only and flow.response:
            flow.response.headers[STRICT[0]] = STRICT[1]
        super().responseheaders(flow)


addons = [ServerObserver()]
