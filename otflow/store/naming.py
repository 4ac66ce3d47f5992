"""Random names that people can say: for runs and logged models that were given none."""

from __future__ import annotations

import random
from typing import Final

__all__ = ["random_name"]

_QUALITIES: Final = (
    "able", "agile", "airy", "amber", "ample", "apt", "azure", "balmy", "bold", "brave", "breezy", "bright",
    "brisk", "calm", "candid", "careful", "casual", "charming", "cheerful", "clear", "clever", "cosy", "crisp",
    "curious", "daring", "deft", "dapper", "eager", "early", "earnest", "easy", "elegant", "fair", "famous",
    "fancy", "fine", "fleet", "fond", "frank", "fresh", "friendly", "gentle", "glad", "golden", "graceful",
    "grand", "handy", "happy", "hardy", "honest", "humble", "jolly", "keen", "kind", "lively", "loyal", "lucid",
    "lucky", "mellow", "merry", "mighty", "mild", "modest", "neat", "nimble", "noble", "open", "patient",
    "placid", "playful", "plucky", "polite", "prompt", "proud", "quick", "quiet", "radiant", "ready", "royal",
    "rustic", "sage", "sandy", "serene", "sharp", "silent", "silver", "sincere", "sleek", "smart", "smooth",
    "snowy", "sober", "solid", "sparkling", "spry", "steady", "still", "sturdy", "subtle", "sunny", "swift",
    "tender", "thoughtful", "tidy", "tranquil", "trusty", "upbeat", "valiant", "velvet", "vivid", "warm",
    "wary", "whimsical", "willing", "wise", "witty", "young", "zesty",
)  # fmt: skip
_ANIMALS: Final = (
    "ant", "badger", "bat", "bear", "beaver", "bee", "bison", "boar", "bream", "bug", "calf", "carp", "cat",
    "chimp", "cod", "colt", "condor", "crab", "crane", "cricket", "crow", "deer", "dove", "duck", "eagle",
    "eel", "elk", "falcon", "fawn", "finch", "fish", "fox", "frog", "gnat", "goat", "goose", "grouse", "gull",
    "hare", "hawk", "hen", "heron", "horse", "ibis", "jay", "kite", "koala", "lamb", "lark", "lemur", "lion",
    "lizard", "lobster", "loon", "lynx", "mare", "mink", "mole", "moose", "moth", "mouse", "mule", "newt",
    "otter", "owl", "ox", "panda", "perch", "pig", "plover", "pony", "puffin", "quail", "rabbit", "ram",
    "raven", "robin", "rook", "salmon", "seal", "shark", "sheep", "shrew", "shrike", "skink", "skunk", "sloth",
    "snail", "snipe", "sparrow", "squid", "stag", "stork", "swan", "swift", "tern", "thrush", "toad", "trout",
    "turtle", "vole", "wasp", "weasel", "whale", "wolf", "wren", "yak", "zebra",
)  # fmt: skip

_source: Final = random.SystemRandom()  # not the seeded one: programs that set a seed would name all their runs alike


def random_name() -> str:
    """A name such as `bright-owl-123`; not unique."""
    return f"{_source.choice(_QUALITIES)}-{_source.choice(_ANIMALS)}-{_source.randrange(1000)}"
