"""The server observer: the operator's own front end, which ends TLS and reads each request and response.

    mitmdump -s addons/server_observer.py --mode reverse:http://127.0.0.1:PORT --certs '*=KEY_AND_CERT.pem' \\
             --set keep_host_header=true --listen-port 8443

PORT is where the service itself listens; clients connect to 8443, with TLS or without. Without --certs the
certificate comes from mitmproxy's own CA. `mitmproxy` and `mitmweb` take the same arguments.

    --set lab_record=FILE          also write every request and response into the new FILE (JSON lines)
    --set lab_secret=body=VALUE    mark and comment flows in which VALUE can be read, however it is encoded

Messages of the lab's own service are shown with each end-to-end encrypted envelope taken apart, field by field: the
content view "Envelopes".

Only for traffic that is your own.
"""

from mitmproxy import contentviews
from mitmproxy.addonmanager import Loader

from lab.model import Observer
from lab.stage.envelope_view import EnvelopeView
from lab.stage.http_tap import HttpTap


class ServerObserver(HttpTap):
    def __init__(self) -> None:
        super().__init__(Observer.SERVER)

    def load(self, loader: Loader) -> None:
        super().load(loader)
        contentviews.add(EnvelopeView())


addons = [ServerObserver()]
