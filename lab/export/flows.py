"""What the server and the network observer got, as flows: a file that mitmproxy, mitmweb and mitmdump open with -r.

HTTP flows are the server's view, TCP flows the network's. Each comment says whose it is and which secrets are readable
in it. Marked are the flows in which there is more to read than the name of the service, which stands in nearly all.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from uuid import NAMESPACE_URL, uuid5

from mitmproxy import connection, flow, http, tcp
from mitmproxy.io import FlowWriter

from lab.export.connections import SERVICE_ADDRESS, Connection, connections, moment, service_port
from lab.export.exchanges import Exchange, Message, exchanges, findings, in_words
from lab.model import Capture, Direction, Event, Finding, Mode, Observer, SecretName

MARK = ":eyes:"


def to_flows(capture: Capture) -> bytes:
    """All flows, by the time of their beginning. LabError: one of the observers recorded nothing."""
    found = sorted((*_of_the_server(capture), *_of_the_network(capture)), key=lambda one: one.timestamp_created)
    file = io.BytesIO()
    writer = FlowWriter(file)  # type: ignore[no-untyped-call]
    for one in found:
        writer.add(one)
    return file.getvalue()


def _of_the_server(capture: Capture) -> Iterator[flow.Flow]:
    for exchange in exchanges(capture):
        link, request, answer = exchange.connection, exchange.request, exchange.answer
        made = http.HTTPFlow(*_ends(capture, link, Observer.SERVER, request.header("host")))
        made.request = _request(capture, exchange)
        if answer is None:
            made.error = flow.Error("no answer was recorded", request.end)
        else:
            made.response = _response(answer)
        about = f"server observer, connection {link.number}, request {exchange.number}"
        yield _finished(capture, made, request.start, about, exchange.findings)


def _request(capture: Capture, exchange: Exchange) -> http.Request:
    request = exchange.request
    method, path, version = exchange.target
    return http.Request(
        host=request.header("host"),
        port=service_port(capture.story.mode),
        method=method.encode("latin-1"),
        scheme=b"http" if capture.story.mode is Mode.PLAINTEXT else b"https",
        authority=b"",
        path=path.encode("latin-1"),
        http_version=version.encode("latin-1"),
        headers=http.Headers(request.headers),
        content=request.body,
        trailers=http.Headers(request.trailers) if request.trailers else None,
        timestamp_start=request.start,
        timestamp_end=request.end,
    )


def _response(answer: Message) -> http.Response:
    version, status, reason = (*answer.first_line.split(" ", 2), "", "")[:3]
    return http.Response(
        http_version=version.encode("latin-1"),
        status_code=int(status) if status.isascii() and status.isdecimal() else 0,
        reason=reason.encode("latin-1"),
        headers=http.Headers(answer.headers),
        content=answer.body,
        trailers=http.Headers(answer.trailers) if answer.trailers else None,
        timestamp_start=answer.start,
        timestamp_end=answer.end,
    )


def _of_the_network(capture: Capture) -> Iterator[flow.Flow]:
    for link in connections(capture, Observer.NETWORK):
        made = tcp.TCPFlow(*_ends(capture, link, Observer.NETWORK, SERVICE_ADDRESS))
        made.messages = [
            tcp.TCPMessage(one.direction is Direction.TO_SERVICE, one.data, moment(one.time))  # type: ignore[no-untyped-call]
            for one in link.observations
        ]
        if link.ended and link.ended.event is Event.BROKEN:
            made.error = flow.Error(link.ended.detail, moment(link.ended.time))
        about = f"network observer, connection {link.number}"
        yield _finished(capture, made, made.client_conn.timestamp_start, about, findings(capture, link.observations))


def _ends(
    capture: Capture, link: Connection, observer: Observer, host: str
) -> tuple[connection.Client, connection.Server]:
    times = [note.time for note in (link.opened, link.ended) if note] or [one.time for one in link.observations]
    start, end = moment(times[0]), moment(link.ended.time) if link.ended else None
    service = (SERVICE_ADDRESS, service_port(capture.story.mode))
    # The front end decrypts what comes in from clients; the network relays whatever it is.
    tls = observer is Observer.SERVER and capture.story.mode is not Mode.PLAINTEXT
    client = connection.Client(
        id=_identity(capture, observer, link.number, "client"),
        peername=link.client,
        sockname=service,
        tls=tls,
        timestamp_start=start,
        timestamp_end=end,
    )
    server = connection.Server(
        id=_identity(capture, observer, link.number, "server"),
        address=(host, service[1]),
        tls=tls,
        timestamp_start=start,
        timestamp_end=end,
    )
    return client, server


def _finished[F: flow.Flow](capture: Capture, made: F, start: float, about: str, found: Sequence[Finding]) -> F:
    # The same recording gives the same file, so nothing is left to chance or to the clock.
    made.id = _identity(capture, about)
    made.timestamp_created = start
    made.comment = f"{about}: {in_words(found)}" if found else about
    made.marked = MARK if any(finding.secret != SecretName.SERVICE for finding in found) else ""
    return made


def _identity(capture: Capture, *names: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join((capture.story.scenario, repr(capture.story.started), *names))))
