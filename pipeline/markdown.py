"""Markdown for a job's summary, which shows texts from outside as they are."""

import re
from collections.abc import Iterable, Sequence

# The last two are where an address would become a link that nobody here has set.
SPECIAL = re.compile(r"[\\`*_\[\]<>|~$#&@!]|:(?=//)|(?<=\bwww)\.", re.IGNORECASE)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of the cells as they are, each on one line."""
    lines = [headings, ["---"] * len(headings), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def plain(text: str) -> str:
    """Return Markdown that shows the text as it is, on one line: no markup, no link, no element."""
    return SPECIAL.sub(lambda found: f"&#{ord(found.group())};", " ".join(text.split()))


def fenced(lines: Iterable[str]) -> str:
    """Return the lines as they are, between fences that none of them can end."""
    content = "\n".join(lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", content)), default=0))
    return f"{fence}text\n{content}\n{fence}"
