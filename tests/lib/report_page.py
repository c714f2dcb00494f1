"""What a reader sees of a report's page."""

import re
from html import unescape


def text_of(page: str) -> str:
    """Return the words of the page, without its head."""
    text = unescape(re.sub(r"<[^>]+>", "", page.partition("</head>")[2]))
    return re.sub(r"\s+", " ", text)
