"""Text of unknown origin: one spelling of each letter, and nothing that a spreadsheet or a terminal would obey."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

FORMULA = re.compile(r"[=@\t\r]|[-+](?!$|\s*[£$€]?\.?\d[\d.,]*\s*(%|ppt|pp|SD|p)?\**$)")
"""Pattern of spreadsheet formula injection; signed numbers and a lone dash are harmless."""

READ_AS_MISSING = {"na", "nan", "n/a", "#n/a", "<na>", "null", "none", "-nan", "nil"}
"""Words, without case, that readers of CSV files take for a missing value."""

NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*|\s*[-+]?(inf|infinity)\s*", flags=re.IGNORECASE)
PLAIN_INTEGER = re.compile(r"0|[1-9][0-9]{0,8}")

UNPRINTABLE = {
    "Cc": "a control character",
    "Cf": "an invisible formatting character",
    "Cs": "half a character",
    "Zl": "a line break",
    "Zp": "a line break",
}
"""Unicode categories that text may not contain, in words."""


BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that show nothing."""

VARIANT = re.compile("[\ufe00-\ufe0f]")
"""Characters that choose between forms of the one before."""

LONGEST_LABEL = 200


def composed(text: str) -> str:
    """Text in Unicode normal form C, so that one name has one spelling."""
    return unicodedata.normalize("NFC", text)


def printable(text: str, *, keep: str = "\n") -> str:
    """Text with escape sequences in place of characters that steer a terminal, except those to ``keep``."""
    return "".join(
        one.encode("unicode_escape").decode() if unicodedata.category(one) in UNPRINTABLE and one not in keep else one
        for one in text
    )


def text_findings(text: str) -> list[str]:
    """Return an error message if text contains a formula or a character that does not print, else an empty list."""
    if FORMULA.match(text) and text[0] not in "\t\r":
        return [f"{text!r} would run as a formula in a spreadsheet; start it with a letter"]
    for character in text:
        what = "a character that shows nothing" if character in BLANK else None
        what = what or UNPRINTABLE.get(unicodedata.category(character))
        if character in "\n\r":
            return [f"{text!r} has a line break; write it on one line"]
        if what:
            return [f"{text!r} contains {what} (U+{ord(character):04X}); remove it"]
    return []


def label_findings(name: str) -> list[str]:
    """As ``text_findings``, for a name that other software must read back as it is."""
    if len(name) > LONGEST_LABEL:
        return [f"{name[:40]!r}... has {len(name):,} characters; use a name of at most {LONGEST_LABEL}"]
    if not any(unicodedata.category(one)[0] in "LNPS" for one in name):
        return [f"{name!r} shows nothing; use a name that can be read"]
    if name.strip().casefold() in READ_AS_MISSING:
        return [f"{name!r} would be read as a missing value by other software; use another name"]
    if NUMBER.fullmatch(name) and not PLAIN_INTEGER.fullmatch(name):
        return [f"{name!r} would be read as a number, and changed, by other software; add a word to it"]
    return text_findings(name)


def alike(names: Iterable[str]) -> list[str]:
    """Return a message for each name that differs from an earlier one only by case, spaces or width of letters."""
    first: dict[str, str] = {}
    found = []
    for name in dict.fromkeys(names):
        key = "".join(VARIANT.sub("", unicodedata.normalize("NFKC", name)).casefold().split())
        if first.setdefault(key, name) != name:
            found.append(
                f"{name!r} and {first[key]!r} differ only by case or spaces and count as two; if they are one, use one "
                "spelling"
            )
    return found
