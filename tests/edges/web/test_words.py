"""Every sentence of the pages is in the Spanish catalogue, translated, with the same placeholders."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[3]


def _writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_words", ROOT / "docs" / "write_words.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_sentence_has_its_translation() -> None:
    writer = _writer()
    with writer.TARGET.open("rb") as file:
        catalog = read_po(file, locale="es")
    wanted = {message.id for message in writer.sentences() if message.id}
    assert len(wanted) > 25
    assert {message.id for message in catalog if message.id} == wanted, "run `make docs`"
    for message in catalog:
        english = message.id if isinstance(message.id, str) else message.id[-1]
        for told in [message.string] if isinstance(message.string, str) else message.string or [""]:
            assert told, f"{message.id!r} has no translation"
            assert _parts(str(told)) <= _parts(english)


def _parts(sentence: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)[sd]", sentence))
