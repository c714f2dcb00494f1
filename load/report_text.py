"""Text from outside, made fit to be shown: without keys, without what cannot be seen, and no longer than it may be."""

import re
import unicodedata
from collections.abc import Callable

HIDDEN = "***"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
TERMINAL_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
# Controls, and what turns the direction of text around or cannot be seen at all.
UNSEEN = {"Cc", "Cf", "Cs"}

# What a key looks like, wherever it stands. Each pattern begins where nothing like it stands before, and so takes
# a time that grows with the text and no faster, whatever a container has written.
SHAPES = re.compile(
    r"(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?"  # a JSON Web Token
    r"|gh[pousr]_\w{20,}|github_pat_\w{20,}"
    r"|(?<![A-Za-z0-9])[A-Za-z0-9]{40,60}JQQJ99[A-Za-z0-9]{10,}"  # how Azure marks the keys that it hands out
)
SCHEMES = re.compile(r"\b(bearer|basic|sharedkey)(\s+)[\w.~+/=:-]{16,}", re.IGNORECASE)
CREDENTIALS_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@]+(?=@)")
PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)(.*?)(-----END|\Z)", re.DOTALL)
# What follows the name of a secret. `key` alone names columns and dictionaries too, so there it has to look like one.
NAMES = (
    r"authorization|password|passwd|pwd|secret|token|credential|signature|(?<![a-z])sig|api[-_ ]?key|account[-_ ]?key"
    r"|access[-_ ]?key"
)
SCHEME = r"(?:bearer|basic|sharedkey)\s"
BETWEEN = r"\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?"
NAMED = re.compile(
    rf"({NAMES})({BETWEEN}(?:{SCHEME}+)?)(?!{SCHEME})[^\s\"'\\,;&]{{6,}}",
    re.IGNORECASE,
)
KEYS = re.compile(
    rf"(key)({BETWEEN})(?=[\w+/=-]{{0,200}}\d)(?=[\w+/=-]{{0,200}}[a-z])[\w+/=-]{{20,}}",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """Return the text, in as many lines, with *** in place of what is, or is named, a key, a token or a password."""
    text = PRIVATE_KEY.sub(lambda found: found[1] + re.sub(r"[^\n]+", HIDDEN, found[2]) + found[3], text)
    text = NAMED.sub(rf"\1\2{HIDDEN}", text)
    text = KEYS.sub(rf"\1\2{HIDDEN}", text)
    text = SCHEMES.sub(rf"\1\2{HIDDEN}", text)
    return CREDENTIALS_IN_ADDRESS.sub(HIDDEN, SHAPES.sub(HIDDEN, text))


def shown(text: str) -> str:
    """Return the text without keys, and with a mark in place of each character that could not be seen."""
    return readable(redacted(text), kept="\t\n\r")


def readable(text: str, kept: str = "\t") -> str:
    """Return text without a terminal's codes, with a mark in place of each character that could not be seen."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        REPLACEMENT if character not in kept and unicodedata.category(character) in UNSEEN else character
        for character in TERMINAL_CODES.sub("", text)
    )


def shortened(text: str, most: int) -> str:
    """Return at most so many characters: the beginning, and the end, where a traceback has its reason."""
    if len(text) <= most:
        return text
    end = most // 2
    return f"{text[: most - end - 3]} … {text[-end:]}"


def short_and_shown(text: str, most: int, show: Callable[[str], str] = shown) -> str:
    """Return at most so many characters as they are shown; of a very long text only what can be among them is read."""
    return shortened(show(shortened(text, 4 * most)), most)


def writable(text: str) -> str:
    """Return text that UTF-8 can write: half a character, as a cut log may hold, must not cost the report."""
    return text.encode("utf-8", "replace").decode("utf-8")
