"""A message on its way into the lab's own service, as whoever stands behind the end of TLS can change it."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from mitmproxy import http

_PATH = re.compile(r"/v1/conversations/([^/?]+)/messages$")


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """A request that posts a message: the `conversation` that it is for, and the `fields` of its body."""

    flow: http.HTTPFlow
    conversation: str
    fields: dict[str, Any]

    @classmethod
    def read(cls, flow: http.HTTPFlow) -> PostedMessage | None:
        """The message in a request; None if it is another one."""
        found = _PATH.match(flow.request.path)
        if flow.request.method != "POST" or found is None:
            return None
        try:
            fields = json.loads(flow.request.content or b"")
        except ValueError:
            return None
        return cls(flow, found[1], fields) if isinstance(fields, dict) else None

    def edited(self, edit: Callable[[bytes], bytes]) -> PostedMessage:
        """With every envelope changed, and the text and the file of a message that is not sealed."""
        fields = dict(self.fields)
        if isinstance(fields.get("envelopes"), list):
            fields["envelopes"] = [_in_base64(one, "data", edit) for one in fields["envelopes"]]
        fields = _in_base64(fields, "shared", edit)
        if isinstance(content := fields.get("content"), dict):
            content = dict(content)
            if isinstance(text := content.get("text"), str):
                content["text"] = edit(text.encode()).decode(errors="replace")
            if "attachment" in content:
                content["attachment"] = _in_base64(content["attachment"], "data", edit)
            fields["content"] = content
        return replace(self, fields=fields)

    def again(self) -> PostedMessage:
        """The same as a new message: the service knows those that it has by their ids."""
        return replace(self, fields={**self.fields, "id": str(uuid4())})

    def to_flow(self, conversation: str) -> http.HTTPFlow:
        """A request of its own that posts it to `conversation`, in the name of whoever wrote it."""
        flow = self.flow.copy()  # type: ignore[no-untyped-call]
        flow.request.path = f"/v1/conversations/{conversation}/messages"
        flow.request.content = self.to_bytes()
        assert isinstance(flow, http.HTTPFlow)  # noqa: S101 - a copy is of the same kind
        return flow

    def to_bytes(self) -> bytes:
        return json.dumps(self.fields, ensure_ascii=False).encode()

    def stored(self) -> http.Response:
        """What the service answers once it has stored a message; here it never got it."""
        answer = {"id": self.fields.get("id") or str(uuid4()), "time": time.time()}
        return http.Response.make(201, json.dumps(answer), {"Content-Type": "application/json"})


def _in_base64(fields: Any, name: str, edit: Callable[[bytes], bytes]) -> Any:
    """`fields` with one of them changed, if it is there and in base64."""
    if not isinstance(fields, dict) or not isinstance(fields.get(name), str):
        return fields
    try:
        data = base64.b64decode(fields[name], validate=True)
    except ValueError:
        return fields
    return {**fields, name: base64.b64encode(edit(data)).decode("ascii")}
