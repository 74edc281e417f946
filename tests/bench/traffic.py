"""Both ends of the load: processes of their own with the standard library alone, so that they are not what is measured.

    python traffic.py

takes one JSON command a line (see lab/stage/process.py):

    {"serve": "http"}                      answer requests on a free port; "tcp": answer messages
    {"connect": {"to": [HOST, PORT], "kind": "http", "tls": false, "count": 8}}
    {"load": {"seconds": 2.0, "most": 1000000}}    request and wait, on every connection at once; answers the count
    {"disconnect": true}

Connections are kept; each has one request under way at any time. Nothing is parsed: both sides know what a message ends
with.
"""

import json
import selectors
import socket
import ssl
import sys
import threading
import time

TEXT = json.dumps({"from": "alice", "to": "bob", "text": "see you at five at the usual place " * 4}).encode()
RECEIPT = b'{"id": 4711, "received": 1764000000.12345}'
REQUESTS = {
    "http": b"POST /conversations/1/messages HTTP/1.1\r\nHost: chat.lab.test\r\nUser-Agent: traffic\r\n"
    b"Accept: application/json\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(TEXT), TEXT),
    "tcp": TEXT,
}
ANSWERS = {
    "http": b"HTTP/1.1 201 CREATED\r\nServer: traffic\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    % (len(RECEIPT), RECEIPT),
    "tcp": RECEIPT,
}
CHUNK = 1 << 16
STALL_SECONDS = 10.0


def serve(kind: str) -> int:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_answer, args=(listener, ANSWERS[kind]), daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def _answer(listener: socket.socket, answer: bytes) -> None:
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    got: dict[socket.socket, bytes] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(accepted, selectors.EVENT_READ)
                got[accepted] = b""
                continue
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            try:
                data = connection.recv(CHUNK)
            except ConnectionError:
                data = b""
            if not data:
                selector.unregister(connection)
                connection.close()
                del got[connection]
                continue
            got[connection] += data
            if got[connection].endswith(TEXT):
                got[connection] = b""
                connection.sendall(answer)


class Client:
    """Connections that are kept, and the load on them."""

    def __init__(self) -> None:
        self.connections: list[socket.socket] = []
        self.request = b""

    def connect(self, to: list[object], kind: str, tls: bool, count: int) -> None:
        self.request = REQUESTS[kind]
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is the load that is wanted
        for _ in range(count):
            connection = socket.create_connection((str(to[0]), int(str(to[1]))), timeout=STALL_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                connection = context.wrap_socket(connection, server_hostname="chat.lab.test")
            connection.setblocking(False)
            self.connections.append(connection)

    def load(self, seconds: float, most: int) -> dict[str, float]:
        """Answers how many requests were answered, in how many seconds."""
        selector = selectors.DefaultSelector()
        for connection in self.connections:
            selector.register(connection, selectors.EVENT_READ, bytearray())
            connection.sendall(self.request)
        sent, answered = len(self.connections), 0
        began = time.perf_counter()
        until = began + seconds
        while answered < sent:
            ready = selector.select(STALL_SECONDS)
            if not ready:
                raise TimeoutError(f"no answer for {STALL_SECONDS:.0f} seconds")
            going_on = time.perf_counter() < until
            for key, _ in ready:
                asked = key.fileobj
                assert isinstance(asked, socket.socket)
                if not self._receive(asked, key.data):
                    continue
                key.data.clear()
                answered += 1
                if going_on and sent < most:
                    asked.sendall(self.request)
                    sent += 1
        selector.close()
        return {"requests": answered, "seconds": time.perf_counter() - began}

    def _receive(self, connection: socket.socket, got: bytearray) -> bool:
        """True once the whole answer is there."""
        try:
            data = connection.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):  # a part of a TLS record
            return False
        if not data:
            raise ConnectionError("the connection was closed")
        got += data
        return got.endswith(RECEIPT)

    def disconnect(self) -> None:
        for connection in self.connections:
            connection.close()
        self.connections.clear()


def main() -> None:
    client = Client()
    _say({"ready": {}})
    for line in sys.stdin:
        try:
            _say({"ok": _do(client, json.loads(line))})
        except Exception as error:  # noqa: BLE001 - the parent decides
            _say({"error": f"{type(error).__name__}: {error}"})


def _do(client: Client, command: dict[str, object]) -> dict[str, float]:
    match command:
        case {"serve": str(kind)}:
            return {"port": serve(kind)}
        case {"connect": dict(arguments)}:
            client.connect(**arguments)
        case {"load": dict(arguments)}:
            return client.load(**arguments)
        case {"disconnect": True}:
            client.disconnect()
        case _:
            raise ValueError(f"unknown: {command}")
    return {}


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
