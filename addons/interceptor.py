"""The interceptor: on the path, ends TLS with a certificate of its own, reads everything, and passes it on.

    mitmdump -s addons/interceptor.py --mode reverse:https://localhost:8443 --set confdir=interceptor \\
             --set ssl_verify_upstream_trusted_ca=AUTHORITY.pem --set keep_host_header=true \\
             --listen-host 127.0.0.1 --listen-port 8082

Connect your client to port 8082 instead of 8443. For each name that a client asks for it makes a certificate at once,
signed by an authority of its own: the folder that confdir names has it, as mitmproxy-ca-cert.pem. Whoever trusts that
authority is read; whoever does not ends the connection, and then nothing was sent. With --certs '*=KEY_AND_CERT.pem' it
shows a certificate of your choice instead, such as one that has expired. The service itself is checked as a
careful client would: AUTHORITY.pem has to have signed its certificate.

    --set lab_record=FILE          also write every request and response, and every refusal, into the new FILE
    --set lab_secret=body=VALUE    mark and comment flows in which VALUE can be read, however it is encoded
    --set lab_own_traffic=true     needed where the service is on another machine

Only for traffic that is your own.
"""

import time

from mitmproxy import tls

from lab.model import Direction
from lab.stage.attacker import Attacker
from lab.stage.tap_side import recorded


class Interceptor(Attacker):
    """Who was read and who refused is written down by its base."""

    @recorded
    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        # All that a client says before it has seen the certificate: the name of the service is in it.
        hello = data.client_hello.raw_bytes(wrap_in_record=True)
        self.recorder.got(data.context.client.id, "tcp.stream", Direction.TO_SERVICE, time.time(), hello)


addons = [Interceptor()]
