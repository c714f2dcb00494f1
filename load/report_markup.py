"""Markdown that shows text from outside as it is, whatever it is made of."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

from load.report_text import redacted, short_and_shown, shown

BACKTICKS = re.compile("`+")
CODE = re.compile(r"`([^`\s](?:[^`]*[^`\s])?)`")
BACKSLASHED = "\\*_[]!#"
ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "|": "&#124;",
    "`": "&#96;",
    "@": "&#64;",
    "~": "&#126;",
    "$": "&#36;",
    # Where an address would become a link that nobody here has set.
    ":": "&#58;",
    ".": "&#46;",
}
SPECIAL = re.compile(rf"[{re.escape(BACKSLASHED)}&<>|`@~$]|:(?=//)|(?<=\bwww)\.", re.IGNORECASE)
# GitHub looks for people (@who) and issues (#12) in what it has rendered, where an entity is the character again.
REFERENCE = re.compile(r"(?<!\w)@(?=\w)|#(?=\d)")
BREAK = "&#8203;"
MOST_CELL_CHARACTERS = 400
MOST_ADDRESS_CHARACTERS = 2000
IN_ADDRESSES = ":/?#@!$&'+,;=%~-._"


def plain(text: str, most_characters: int | None = None) -> str:
    """Return text, or its beginning and end, that Markdown and HTML show as it is, on one line."""
    return escaped(one_line(text, most_characters))


def prose(text: str, most_characters: int | None = None) -> str:
    """Return the same with what stands in backticks as code."""
    parts = CODE.split(one_line(text, most_characters))
    return "".join(f"`{part}`" if index % 2 else escaped(part) for index, part in enumerate(parts))


def one_line(text: str, most_characters: int | None) -> str:
    return " ".join((shown(text) if most_characters is None else short_and_shown(text, most_characters)).split())


def escaped(text: str) -> str:
    referring = {found.start() for found in REFERENCE.finditer(text)}

    def safe(found: re.Match[str]) -> str:
        character = found.group()
        written = ENTITIES.get(character, f"\\{character}")
        return f"{written}{BREAK}" if found.start() in referring else written

    return SPECIAL.sub(safe, text)


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table of the cells as they are, each on one line."""
    return table_of(header, (tuple(plain(cell, MOST_CELL_CHARACTERS) for cell in row) for row in rows))


def table_of(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table of cells that are Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, tuple("---" for _ in header), *rows])


def fenced(language: str, lines: Sequence[str]) -> str:
    """Return the lines between fences that none of them can end: a fence is ended by no fewer backticks than it has."""
    content = "\n".join(shown(line) for line in lines)
    fence = "`" * max(3, 1 + max(map(len, BACKTICKS.findall(content)), default=0))
    return f"{fence}{language}\n{content}\n{fence}"


def link(label: str, address: str, most_characters: int = 80) -> str:
    """Return a link to a web address that names no key; of any other the label alone."""
    destination, text = safe_address(address), plain(label, most_characters)
    return f"[{text}]({destination.replace('&', '&amp;')})" if destination else text


def safe_address(address: str) -> str | None:
    """Return the address as a link's destination, where it is one of the web and holds nothing to keep to oneself."""
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        return None
    if not usable or len(address) > MOST_ADDRESS_CHARACTERS or redacted(address) != address:
        return None
    return quote(address, safe=IN_ADDRESSES, errors="replace")
