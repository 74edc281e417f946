"""HTML read by a parser that refuses what browsers would guess about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "wbr", "link", "br", "img", "input", "hr", "base", "col", "source"}
LINKING = {"href", "src", "srcset", "action", "formaction", "data", "poster", "cite", "ping", "background", "style"}


@dataclass(eq=False)
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """The elements of this tag with these attributes (a class is one of several)."""
        return [
            one
            for one in self.walk()
            if tag in ("", one.tag)
            and all(value in one.attributes.get(name.strip("_"), "").split() for name, value in attributes.items())
        ]


class Tree(HTMLParser):
    """A parser that refuses what browsers would guess about: unclosed, misplaced or doubled."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]
        self.feed(page)
        self.close()
        assert len(self._open) == 1, self._open[-1]

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), attrs
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def tree(page: str) -> Element:
    return Tree(page).root
