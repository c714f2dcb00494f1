"""What a command leaves for GitHub Actions: outputs of its step, the job's summary, annotations; nothing elsewhere.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands. Needs the standard library alone.
"""

import os
import secrets
import sys
from pathlib import Path
from typing import Literal

# GitHub drops the whole summary of a step beyond 1 MiB.
MOST_SUMMARY_BYTES = 1024 * 1024
CUT_SHORT = "\n\n(cut short here: GitHub shows no more; the report's file has all of it)\n"


def runs_here() -> bool:
    """Tell whether this process is a step of a workflow."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def set_output(name: str, value: str) -> None:
    """Give the step an output."""
    append("GITHUB_OUTPUT", assignment(name, value))


def set_variable(name: str, value: str) -> None:
    """Give the job's later steps an environment variable."""
    append("GITHUB_ENV", assignment(name, value))


def add_summary(markdown: str) -> None:
    """Add to the job's summary; what GitHub would not take is cut off, and said to be."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    taken = Path(path).stat().st_size if Path(path).exists() else 0
    room = MOST_SUMMARY_BYTES - taken - len(CUT_SHORT)
    content = markdown.rstrip("\n").encode(errors="replace") + b"\n\n"
    if len(content) > room:
        content = content[:room].decode(errors="ignore").encode() + CUT_SHORT.encode() if room > 0 else b""
    with Path(path).open("ab") as file:
        file.write(content)


def annotate(level: Literal["notice", "warning", "error"], title: str, message: str) -> None:
    """Show a message beside the run."""
    if runs_here():
        sys.stdout.write(f"::{level} title={escaped(title, property_too=True)}::{escaped(message)}\n")
        sys.stdout.flush()


def escaped(text: str, *, property_too: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property_too else text


def assignment(name: str, value: str) -> str:
    if "\n" not in value:
        return f"{name}={value}\n"
    # Random, so that no value can end itself and set something else.
    end = f"end-{secrets.token_hex(16)}"
    return f"{name}<<{end}\n{value}\n{end}\n"


def append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
