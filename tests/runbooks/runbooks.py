"""The commands in the runbooks."""

import re
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/runbooks"
ALL = sorted(file.stem for file in FOLDER.glob("*.md") if file.stem != "README")
QUOTED = r"'[^']*'|\"[^\"]*\""
# kubectl's options that take the next word as their value
OPTIONS = ArgumentParser(add_help=False, allow_abbrev=False, argument_default="")
for names in ("-n --namespace", "-l --selector", "-c --container", "-f", "-o", "-p", "-L", "--tail", "--type", "--sort-by", "--field-selector"):
    OPTIONS.add_argument(*names.split())


def text_of(runbook: str) -> str:
    return (FOLDER / f"{runbook}.md").read_text()


def blocks(runbook: str, language: str = "sh") -> list[str]:
    """The code blocks of a language, with continued lines joined."""
    return [block.replace("\\\n", " ") for block in re.findall(rf"```{language}\n(.*?)```", text_of(runbook), re.S)]


def code(runbook: str) -> str:
    """All commands: in code blocks, and between backticks in the text."""
    prose = re.sub(r"```.*?```", "", text_of(runbook), flags=re.S)
    return "\n".join([*blocks(runbook), *re.findall(r"`([^`]+)`", prose.replace("\n", " "))])


def commands(runbook: str, program: str) -> list[str]:
    """Every simple command of a program, up to what ends it outside of quotes. `$X` replaces each command substitution."""
    text = re.sub(r"^(\s*|.*\s)#\s.*$", lambda line: line[1], code(runbook), flags=re.M)  # without comments
    pattern = rf"""(?<![\w./-]){program} (?=[\w"'+-])(?:{QUOTED}|(?<! )#|[^\n|;&)'"#])*"""
    return [command.strip() for part in substituted(text) for command in re.findall(pattern, part)]


def substituted(text: str) -> list[str]:
    """The text with `$X` for each `$(...)`, and the contents of each."""
    found: list[str] = []
    while inner := re.search(rf"""\$\(((?:{QUOTED}|[^()'"])*)\)""", text):
        text = text[: inner.start()] + "$X" + text[inner.end() :]
        found += substituted(inner[1])
    return [text, *found]


@dataclass
class Kubectl:
    """A parsed kubectl command."""

    verb: str
    words: list[str]
    options: Namespace

    @classmethod
    def parse(cls, words: list[str]) -> "Kubectl":
        options, rest = OPTIONS.parse_known_args(list(takewhile(lambda word: word != "--", words)))
        verb, *words = (word for word in rest if not word.startswith("-"))
        if verb == "rollout":
            verb, *words = f"rollout {words[0]}", *words[1:]
        return cls(verb, words, options)

    def objects(self) -> list[tuple[str, str]]:
        """Kind and name of each object that it names; an empty name means all of a kind."""
        words = ["pods", *self.words] if self.verb in ("logs", "exec", "port-forward") and not any("/" in w for w in self.words) else self.words
        if self.verb == "top":
            return []
        pairs = [tuple(word.split("/", 1)) for word in words if "/" in word]
        if pairs:
            return pairs
        kinds, names = words[:1], words[1:] if self.verb in ("get", "describe", "patch", "delete", "rollout restart") else []
        return [(kind, name) for kind in (kinds[0].split(",") if kinds else []) for name in names or [""]]
