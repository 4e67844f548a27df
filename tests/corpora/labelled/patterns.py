"""Strings that a regular expression matches, for rules that are published as expressions.

The expressions are those of Go's RE2. What Python cannot read is left out by the caller.
"""

import random
import re
import string
from re import _constants as op
from re import _parser as parser

#: So many times more than the least is an open repetition repeated.
MOST_EXTRA = 8
PRINTABLE = [ord(c) for c in string.ascii_letters + string.digits + "-_. "]
CATEGORIES = {
    op.CATEGORY_DIGIT: string.digits,
    op.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
    op.CATEGORY_SPACE: " ",
}


def parsed(expression: str) -> parser.SubPattern:
    """The expression as a tree. Raises `re.error` for what only Go can read."""
    expression = expression.replace("[[:alnum:]]", "[A-Za-z0-9]").replace("\\z", "\\Z")
    # A flag within the expression widens what it matches; without it what is drawn still matches.
    return parser.parse(re.sub(r"\(\?[is]+\)", "", expression))


def drawn(rng: random.Random, tree: parser.SubPattern) -> str:
    """A string that the whole tree matches. Of the groups, `secret` may ask for the first."""
    return "".join(part for part, _ in _walk(rng, tree, inside=False))


def drawn_with_secret(rng: random.Random, tree: parser.SubPattern) -> tuple[str, int, int]:
    """A string, and where its first group stands in it; the whole string where there is none."""
    parts = list(_walk(rng, tree, inside=False))
    text = "".join(part for part, _ in parts)
    marked = [index for index, (_, inside) in enumerate(parts) if inside]
    if not marked:
        return text, 0, len(text)
    start = sum(len(part) for part, _ in parts[: marked[0]])
    return text, start, start + sum(len(part) for part, inside in parts if inside)


def _walk(rng: random.Random, tree, inside: bool):
    for code, argument in tree:
        yield from _one(rng, code, argument, inside)


def _one(rng: random.Random, code, argument, inside: bool):
    if code is op.LITERAL:
        yield chr(argument), inside
    elif code is op.ANY:
        yield chr(rng.choice(PRINTABLE)), inside
    elif code is op.NOT_LITERAL:
        yield chr(rng.choice([one for one in PRINTABLE if one != argument])), inside
    elif code is op.IN:
        yield chr(rng.choice(_of_set(argument))), inside
    elif code is op.BRANCH:
        yield from _walk(rng, rng.choice(argument[1]), inside)
    elif code is op.SUBPATTERN:
        number, _, _, inner = argument
        yield from _walk(rng, inner, inside or number == 1)
    elif code in (op.MAX_REPEAT, op.MIN_REPEAT):
        least, most, inner = argument
        most = least if code is op.MIN_REPEAT else min(most, least + MOST_EXTRA)
        for _ in range(rng.randint(least, max(least, most))):
            yield from _walk(rng, inner, inside)
    elif code not in (op.AT, op.ASSERT, op.ASSERT_NOT):
        raise re.error(f"{code} is not drawn")


def _of_set(items) -> list[int]:
    negated = any(code is op.NEGATE for code, _ in items)
    found: set[int] = set()
    for code, argument in items:
        if code is op.LITERAL:
            found.add(argument)
        elif code is op.RANGE:
            found.update(range(argument[0], argument[1] + 1))
        elif code is op.CATEGORY and argument in CATEGORIES:
            found.update(map(ord, CATEGORIES[argument]))
    if negated:
        return [one for one in PRINTABLE if one not in found]
    # Where an expression allows more than what is printed, keys hold what is printed.
    return sorted(one for one in found if 32 <= one < 127) or sorted(found)
