"""Privacy rules: what is found by key, path, type or pattern, and what becomes of it."""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from otflow.entities.values import dump
from otflow.errors import InvalidParameterError

__all__ = [
    "ATTACHMENTS",
    "CREDENTIALS",
    "DROPPED",
    "PERSONAL",
    "PLACES",
    "REDACTED",
    "Pattern",
    "Rule",
    "drop",
    "hashed",
    "mask",
    "replace",
]

Action = Callable[[Any], Any]

REDACTED: Final = "[redacted]"
"""What stands where something was taken out. It says nothing of what that was, not even how long it was."""

DROPPED: Final = object()
"""What an action returns where nothing at all is to be left."""

PLACES: Final = frozenset(
    {
        "inputs",
        "outputs",
        "attributes",
        "events",
        "exceptions",
        "names",
        "tags",
        "metadata",
        "previews",
        "assessments",
        "logs",
    }
)
"""Where rules apply; `exceptions` are their messages, stack traces and the status messages."""


# -- actions -----------------------------------------------------------------------------------------------


def replace(text: str) -> Action:
    """An action: put a fixed text in its place."""

    def action(value: Any) -> Any:
        del value
        return text

    return action


def drop(value: Any) -> Any:
    """An action: leave nothing, neither the key nor the list's element; of a text, take the match out."""
    del value
    return DROPPED


def mask(last: int = 4) -> Action:
    """An action: stars, and the last characters where at least twice as many are hidden.

    Args:
        last: How many characters at the end are kept.

    Raises:
        InvalidParameterError: `last` is negative.
    """
    if last < 0:
        raise InvalidParameterError(f"last must be 0 or more, not {last!r}")

    def action(value: Any) -> Any:
        text = _text(value)
        # The number of stars is always the same: the length of a secret is nobody's business.
        return f"***{text[-last:]}" if last and len(text) >= 3 * last else "***"

    return action


def hashed(key: str | bytes | None = None) -> Action:
    """An action: a keyed hash (HMAC-SHA-256, 64 bits of it), the same for the same value.

    What was hashed can be counted, grouped and searched for, and not be read. Without the key nobody can find it by
    trying, so keep the key where the data is not.

    Args:
        key: The key of the hash, the same in all processes whose traces are to be compared; one that only this
            process knows by default.
    """
    secret = key.encode() if isinstance(key, str) else (key or secrets.token_bytes(32))

    def action(value: Any) -> Any:
        digest = hmac.new(secret, _text(value).encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:16]
        return f"[redacted:{digest.translate(_LETTERS)}]"

    return action


_LETTERS: Final = str.maketrans("0123456789", "ghijkmnpqr")
"""Digits as letters, so that no rule takes a hash for a number of somebody's."""

MARKER: Final = re.compile(r"\[(?:redacted(?::[a-kmnpqr]{16})?|redaction failed)\]")
"""What rules have left: no rule looks into it again."""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dump(value)


# -- patterns ----------------------------------------------------------------------------------------------


class Pattern:
    """What to look for in texts.

    Args:
        regex: A regular expression. Python cannot interrupt one that backtracks without end: let it not.
        check: Says whether what matched is what it looks like, say by its check digits.
        hint: Texts one of which is in every match: a text without any is not searched.
    """

    __slots__ = ("check", "hint", "regex")

    def __init__(
        self, regex: str | re.Pattern[str], check: Callable[[str], bool] | None = None, hint: Iterable[str] = ()
    ) -> None:
        try:
            self.regex = re.compile(regex)
        except (re.error, TypeError) as error:
            raise InvalidParameterError(f"{regex!r} is not a regular expression: {error}") from None
        if self.regex.fullmatch("") is not None:
            raise InvalidParameterError(f"{regex!r} matches nothing at all everywhere; it must match something")
        self.check = check
        self.hint = tuple(hint)

    def sub(self, action: Action, text: str) -> str:
        """The text with all matches replaced."""
        if self.hint and not any(hint in text for hint in self.hint):
            return text

        def replaced(match: re.Match[str]) -> str:
            found = match[0]
            if self.check is not None and not self.check(found):
                return found
            result = action(found)
            return "" if result is DROPPED else _text(result)

        return self.regex.sub(replaced, text)


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    if not 13 <= len(digits) <= 19:
        return False
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(odd) + sum(sum(divmod(2 * digit, 10)) for digit in even)) % 10 == 0


def _iban(text: str) -> bool:
    """Source: ISO 13616, the check digits are those of ISO 7064 MOD 97-10."""
    compact = "".join(text.split()).upper()
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


EMAIL: Final = Pattern(
    r"[A-Za-z0-9._%+\-]{1,64}(?:@|%40|\\u0040)[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){0,8}\.[A-Za-z]{2,24}",
    hint=("@", "%40", "\\u0040"),
)
CARD: Final = Pattern(r"(?<![\d.])[2-6]\d{3}(?:[ \-]?\d){9,15}(?!\d)", _luhn)
IBAN: Final = Pattern(r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?\b", _iban)
PHONE: Final = Pattern(r"(?<![\w+])(?:\+|00)[1-9]\d{0,2}[ .\-]?(?:\(\d{1,4}\)[ .\-]?)?\d(?:[ .\-]?\d){5,12}(?!\d)")
IPV4: Final = Pattern(r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])")
JWT: Final = Pattern(
    r"\beyJ(?:(?!\beyJ)[A-Za-z0-9_\-]){8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*",
    hint=("eyJ",),
)
BEARER: Final = Pattern(r"(?i)\b(?:bearer|basic) +[A-Za-z0-9._~+/\-]{8,}=*")
PRIVATE_KEY: Final = Pattern(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[^-]*(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----)?", hint=("PRIVATE KEY",)
)
URL_PASSWORD: Final = Pattern(r"(?<=://)[^\s/:@\"']{0,256}:[^\s/@\"']{1,256}(?=@)", hint=("://",))
API_KEY: Final = Pattern(
    r"\b(?:sk-[A-Za-z0-9_\-]{16,}|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_\-]{16,}|xox[abeoprs]-[A-Za-z0-9\-]{8,}"
    r"|AIza[A-Za-z0-9_\-]{30,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_\-]{40,}|dapi[0-9a-f]{32}"
    r"|SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,})"
)
"""Keys that can be told by how they begin: OpenAI's and Anthropic's, Stripe's, AWS's, GitHub's, GitLab's, Slack's,
Google's, Hugging Face's, npm's, PyPI's, Databricks's, SendGrid's."""
DATA_URL: Final = Pattern(r"data:[\w.+\-]+/[\w.+\-]+[^,\s\"']{0,256};base64,[A-Za-z0-9+/=_\-%]*", hint=(";base64,",))

PATTERNS: Final = {
    "api_key": API_KEY,
    "bearer": BEARER,
    "card": CARD,
    "data_url": DATA_URL,
    "email": EMAIL,
    "iban": IBAN,
    "ipv4": IPV4,
    "jwt": JWT,
    "phone": PHONE,
    "private_key": PRIVATE_KEY,
    "url_password": URL_PASSWORD,
}
"""The ready-made patterns by the names that rules may call them by."""


# -- rules -------------------------------------------------------------------------------------------------

_SEGMENT: Final = re.compile(
    r"""\.?\[(?:(?P<index>\d+|\*)|"(?P<double>[^"]*)"|'(?P<single>[^']*)')\]|(?:^|\.)(?P<name>[^.\[\]]+)"""
)


class Rule:
    """What to look for, and what becomes of it; exactly one of `key`, `path`, `type` and `pattern` is given.

    Args:
        key: Names of dictionary keys and attributes, at any depth; upper and lower case are the same, and `*` and `?`
            stand for any characters. An attribute's name counts whole, and by what follows its last dot. Of texts
            that are no JSON, what follows `key=` and `"key":` is found too.
        path: A place, such as `inputs.user.email`, `outputs.choices[0].text`, `messages[*].content`,
            `attributes["http.url"]` or `**.ssn`. `*` stands for any one key, `[*]` for any element, `**` for any
            number of steps. It begins with one of the places (see `where`), or is looked for in each of them.
        type: Classes whose instances are found before they are serialized, or names of such classes, with or
            without their module, so that they need not be imported.
        pattern: A regular expression for texts and keys, a `Pattern`, or the name of a ready-made one: api_key,
            bearer, card, data_url, email, iban, ipv4, jwt, phone, private_key, url_password.
        action: What becomes of it: `replace(text)`, `mask(last)`, `hashed(key)`, `drop`, or any function from the
            value to what is kept instead. "[redacted]" is put in its place by default.
        where: Where the rule applies: some of inputs, outputs, attributes, events, exceptions, names, tags,
            metadata, previews, assessments, logs; everywhere by default.

    Raises:
        InvalidParameterError: none or several of the four, one that is malformed, or an unknown place.

    Example:
        >>> from otflow.tracing.privacy import Rule, mask
        >>> rules = [Rule(key=["password", "*_secret"]), Rule(pattern="card", action=mask(4))]
    """

    __slots__ = ("action", "keys", "kind", "pattern", "steps", "types", "where")

    def __init__(
        self,
        *,
        key: str | Iterable[str] | None = None,
        path: str | None = None,
        type: Any = None,  # noqa: A002
        pattern: str | re.Pattern[str] | Pattern | None = None,
        action: Action | None = None,
        where: str | Iterable[str] | None = None,
    ) -> None:
        given = {"key": key, "path": path, "type": type, "pattern": pattern}
        named = [name for name, value in given.items() if value is not None]
        if len(named) != 1:
            raise InvalidParameterError(
                f"a rule takes exactly one of key, path, type and pattern, not {', '.join(named) or 'none'}"
            )
        self.kind = named[0]
        self.keys: tuple[str, ...] = ()
        self.steps: tuple[str | int, ...] = ()
        self.types: tuple[Any, ...] = ()
        self.pattern: Pattern | None = None
        places = _texts("where", where) if where is not None else tuple(PLACES)
        if unknown := set(places) - PLACES:
            raise InvalidParameterError(f"{min(unknown)!r} is not a place; allowed are: {', '.join(sorted(PLACES))}")
        if key is not None:
            self.keys = tuple(name.lower() for name in _texts("key", key))
        elif path is not None:
            self.steps = _steps(path)
            if self.steps[0] in PLACES:
                place = self.steps[0]
                self.steps = self.steps[1:]
                places = tuple({place} & set(places))
        elif type is not None:
            self.types = _types(type)
        else:
            self.pattern = _pattern(pattern)
        if action is not None and not callable(action):
            raise InvalidParameterError(
                f"action must be drop, replace(...), mask(...), hashed(...) or a function, not {action!r}"
            )
        self.action: Action = action if action is not None else replace(REDACTED)
        self.where = frozenset(places)

    def __repr__(self) -> str:
        return f"<privacy rule by {self.kind}>"  # a pattern may well spell the secret

    def fits(self, key: str) -> bool:
        """Whether a rule by key is about this key."""
        key = key.lower()
        return any(fnmatch.fnmatchcase(key, name) for name in self.keys)


def _texts(what: str, given: Any) -> tuple[str, ...]:
    found: tuple[Any, ...] = (
        tuple(cast("list[Any]", given)) if isinstance(given, (list, tuple, set, frozenset)) else (given,)
    )
    if not found or not all(isinstance(one, str) and one for one in found):
        raise InvalidParameterError(f"{what} must be a name or a list of names, not {given!r}")
    return found


def _steps(path: Any) -> tuple[str | int, ...]:
    if not isinstance(path, str):
        raise InvalidParameterError(f"path must be a string such as 'inputs.user.email', not {path!r}")
    text, at, steps = path.removeprefix("$."), 0, list[Any]()
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None:
            break
        at = match.end()
        index, name = match["index"], match["name"] or match["double"] or match["single"]
        steps.append(int(index) if index and index != "*" else (index or name))
    if at < len(text) or not steps or None in steps:
        raise InvalidParameterError(
            f"{path!r} is not a path; paths look like inputs.user.email, messages[*].content, **.ssn and "
            'attributes["http.url"]'
        )
    return tuple(steps)


def _types(given: Any) -> tuple[Any, ...]:
    found: tuple[Any, ...] = (
        tuple(cast("list[Any]", given)) if isinstance(given, (list, tuple, set, frozenset)) else (given,)
    )
    if not found or not all(isinstance(one, (str, type)) for one in found):
        raise InvalidParameterError(f"type must be a class, the name of one, or a list of such, not {given!r}")
    return found


def _pattern(given: Any) -> Pattern:
    if isinstance(given, Pattern):
        return given
    return PATTERNS.get(given) or Pattern(given) if isinstance(given, str) else Pattern(given)


CREDENTIALS: Final = (
    Rule(
        key=[
            "password", "passwd", "passphrase", "*_password", "secret", "*_secret", "*_secret_key", "client_secret",
            "api_key", "apikey", "api-key", "x-api-key", "*_api_key", "access_token", "refresh_token", "id_token",
            "auth_token", "*_auth_token", "bearer_token", "authorization", "proxy-authorization", "cookie",
            "set-cookie", "private_key", "secret_key", "aws_secret_access_key", "aws_session_token", "credential",
            "credentials", "connection_string",
        ]
    ),
    *(Rule(pattern=pattern) for pattern in (API_KEY, JWT, BEARER, PRIVATE_KEY, URL_PASSWORD)),
    Rule(type=["pydantic.types.SecretStr", "pydantic.types.SecretBytes"]),
)  # fmt: skip
"""Ready-made: keys, tokens and passwords, by the usual names of their keys and by how they look."""

PERSONAL: Final = tuple(Rule(pattern=pattern) for pattern in (EMAIL, CARD, IBAN, PHONE, IPV4))
"""Ready-made: mail addresses, card numbers, bank accounts, phone numbers in international form, IPv4 addresses."""

ATTACHMENTS: Final = (
    Rule(type=["otflow.entities.attachment.Attachment", bytes, bytearray, memoryview, "PIL.Image.Image"]),
    Rule(pattern=DATA_URL),
    *(Rule(path=path) for path in ("**.source.data", "**.input_audio.data", "**.inline_data.data", "**.b64_json")),
)
"""Ready-made: images, audio and files, as objects, as data URLs and where the usual chat APIs put them."""
