"""A link in the job's summary."""

import re
from urllib.parse import quote, urlsplit

from deployment.github import add_summary
from pipeline.errors import PipelineError
from pipeline.markdown import plain


def link(title: str, url: str) -> None:
    """Add a link to the summary; raises PipelineError where the address is none of the web."""
    if urlsplit(url).scheme not in {"http", "https"} or re.search(r"\s", url):
        raise PipelineError(f"--url: {url!r} is no address of the web; give one that begins with https://")
    add_summary(f"[{plain(title)}]({quote(url, safe=':/?#@!$&+,;=%~-._')})")
