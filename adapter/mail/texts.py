"""A practice's own words in its Welcome email ("Custom Texts"): checked when they are loaded, sandboxed when used.

Each text is plain text with ``{{ practice }}``, ``{{ name }}``, ``{{ life }}`` and ``{{ phone }}``, and ``{% if %}``.
The link, the username and the layout are not theirs to change, so no wording can lose the link or break the mail.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from adapter.errors import ConfigError, Fault

LENGTHS: Mapping[str, int] = MappingProxyType(
    {"subject": 150, "heading": 80, "intro": 600, "button": 40, "closing": 600}
)
"""Every text that can be written, and how long it may be once it is filled in."""
LANGUAGES = ("en", "es")
NO_TEXTS: Mapping[str, str] = MappingProxyType(dict.fromkeys(LENGTHS, ""))
_SAMPLE = {"practice": "Main Street Pediatrics", "name": "Ana Rivera", "life": "2 days", "phone": "(555) 010-0100"}
_ALLOWED = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.If, nodes.Not, nodes.And, nodes.Or)
_SANDBOX = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


class Texts:
    """The texts of one practice, by language."""

    def __init__(self, sources: Mapping[str, Mapping[str, str]]) -> None:
        self._templates = {
            language: {name: _SANDBOX.from_string(source) for name, source in texts.items()}
            for language, texts in sources.items()
        }

    def fill_in(self, language: str, values: Mapping[str, str]) -> dict[str, str]:
        """Each text with these values; empty where the practice wrote none."""
        own = self._templates.get(language, {})
        return {name: own[name].render(values).strip() if name in own else "" for name in LENGTHS}


def load_texts(path: Path) -> Texts:
    """Reads a practice's texts. Raises ConfigError listing every fault: language, name, and what is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ConfigError([_fault(path, "file", "cannot be read as UTF-8 text.", "Check the path.")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_fault(path, "syntax", f"{error}.", "Correct the TOML at that place.")]) from None
    faults = []
    for language, texts in data.items():
        if language not in LANGUAGES or not isinstance(texts, dict):
            faults.append(_fault(path, language, "is no language of the mails.", "Expected the tables [en] and [es]."))
            continue
        for name, source in texts.items():
            problem = _problem(name, source)
            if problem:
                faults.append(
                    _fault(path, f"{language}.{name}", problem, "docs/custom-texts.md shows what can stand there.")
                )
    if faults:
        raise ConfigError(faults)
    return Texts(data)


def _problem(name: str, source: object) -> str:
    """What is wrong with one text; empty when nothing is."""
    if name not in LENGTHS:
        return f"is not one of {', '.join(LENGTHS)}."
    if not isinstance(source, str):
        return "must be text."
    try:
        tree = _SANDBOX.parse(source)
        if any(not isinstance(node, _ALLOWED) for node in (tree, *tree.find_all(nodes.Node))):
            return "may only hold {{ a value }} and {% if a value %}."
        unknown = {node.name for node in tree.find_all(nodes.Name)} - _SAMPLE.keys()
        if unknown:
            return f"names {', '.join(sorted(unknown))}; there are {', '.join(_SAMPLE)}."
        filled = _SANDBOX.from_string(source).render(_SAMPLE)
    except TemplateError as error:
        return f"cannot be understood ({type(error).__name__})."
    if len(filled) > LENGTHS[name]:
        return f"is longer than {LENGTHS[name]} characters when it is filled in."
    if "://" in filled or "www." in filled.lower():
        return "holds a link; the mail has one already, and only that one."
    if any(not (char.isprintable() or char == "\n") for char in filled):
        return "holds a character that cannot be seen."
    return ""


def _fault(path: Path, key: str, problem: str, remedy: str) -> Fault:
    return Fault(file=str(path), key=key, problem=problem, remedy=remedy)
