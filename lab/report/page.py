"""What every HTML page has in common that the lab writes: one file, no outside reference, no script.

Whatever was planted or recorded is text in it: Jinja escapes it, and characters that cannot be seen are written out.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

STYLE = Path(__file__).with_name("page.css")
"""The style sheet of all pages."""

DECODERS = {
    "tls.records": "TLS records joined",
    "http.chunked": "chunks joined",
    "br": "Brotli",
    "zstd": "Zstandard",
    "hex": "hexadecimal",
    "percent": "percent-encoding",
    "urlencoded": "form encoding",
    "json": "JSON escapes",
    "utf-16le": "UTF-16 (little-endian)",
    "utf-16be": "UTF-16 (big-endian)",
    "sqlite": "database pages",
    "lowercase": "written in small letters",
    "uppercase": "written in capitals",
}


def render(template: Path, styles: Iterable[Path], **values: Any) -> str:
    """One HTML document from a Jinja template, which gets `values`, the style sheets as `style`, and a `policy`."""
    style = "".join(path.read_text(encoding="utf-8") for path in styles)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template(template).render(
        # The policy allows this very style sheet and nothing else.
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        style=style,
        chain=chain,
        **values,
    )


def chain(decoders: Iterable[str], say: Callable[[str], str] = str) -> str:
    """Decoders in words: "base64, then gzip"; "" for none. `say` gives words in the language of the page."""
    return f", {say('then')} ".join(say(DECODERS.get(name, name)) for name in decoders)


def visible(text: str) -> str:
    """`text` with every character written out that cannot be seen or that changes the order of others.

    The two joiners stay, which emoji and several scripts need.
    """
    if text.isprintable():
        return text
    return "".join(f"⟨U+{ord(char):04X}⟩" if _unseen(char) else char for char in text)


def _unseen(char: str) -> bool:
    category = unicodedata.category(char)
    return (category.startswith("C") or category in ("Zl", "Zp")) and char not in "\u200c\u200d"


@functools.cache
def _template(path: Path) -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(path.name)


def _finalize(value: Any) -> Any:
    """For whatever the template prints."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
