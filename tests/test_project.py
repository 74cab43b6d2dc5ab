"""The project's own promises: what the documents say exists, and what exists is documented."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

import adapter
from adapter.core.policy import Policy
from adapter.logs import JOBS
from adapter.schedule_files import JobName
from adapter.settings import (
    EmbeddedPortal,
    FhirEhr,
    PolicySettings,
    ScimPortal,
    Settings,
    SmtpMail,
    WarningText,
    load_settings,
)

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config.example.toml"
OURS = ("adapter", "benchmarks", "docs", "mappings", "schedules", "tests", "vendors", ".ci")
TEXT = {".py", ".md", ".toml", ".txt", ".html", ".subject", ".json", ".ndjson", ".yaml", ""}
LONGEST = 300


def _files(suffixes: set[str]) -> Iterator[Path]:
    here = sorted(path for path in ROOT.iterdir() if path.name != ".git")  # a file in a linked work tree
    yield from (path for path in here if path.is_file() and path.suffix in suffixes)
    for folder in OURS:
        found = sorted((ROOT / folder).rglob("*"))
        yield from (
            path for path in found if path.is_file() and path.suffix in suffixes and "__pycache__" not in path.parts
        )


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


MARKDOWN = [path for path in _files({".md"}) if path.is_relative_to(ROOT)]


def test_the_version_is_one() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "adapter", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == f"adapter {adapter.__version__}"
    assert f"## [{adapter.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_make_alone_explains_every_target() -> None:
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    targets = phony[1].split()
    assert {"help", "demo", "test", "lint", "types", "bench", "docs"} <= set(targets)
    for target in targets:
        assert re.search(rf"^  make {target} +\S", shown, re.MULTILINE), f"make {target} is not explained"


def test_every_command_is_documented() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "adapter", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    commands = re.findall(r"^│ ([a-z]+)  +\S", shown.stdout, re.MULTILINE)
    assert len(commands) > 10
    written, readme = (ROOT / "docs/commands.md").read_text(), (ROOT / "README.md").read_text()
    for command in commands:
        assert f"## adapter {command}\n" in written, f"run `make docs`: {command} is missing"
        assert re.search(rf"(adapter|make) {command}\b", readme), f"README.md does not mention {command}"


def test_the_readme_mentions_no_command_that_does_not_exist() -> None:
    written = (ROOT / "docs/commands.md").read_text()
    for document in MARKDOWN:
        for command in re.findall(r"`adapter ([a-z]+)", document.read_text()):
            assert f"## adapter {command}\n" in written, f"{_name(document)}: adapter {command}"


@pytest.mark.parametrize("document", MARKDOWN, ids=_name)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("https://", "#", "mailto:")):
            assert (document.parent / target.split("#")[0]).exists(), f"{_name(document)} links to {target}"


def test_the_example_configuration_loads() -> None:
    settings = load_settings(EXAMPLE)
    assert settings.practice[0].policy == PolicySettings()


def test_what_the_example_calls_a_default_is_one(tmp_path: Path) -> None:
    text = re.sub(r"^#(?=[a-z_]+ = )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^# {10,}", "", text, flags=re.MULTILINE)  # the second line of a long value
    assert text != EXAMPLE.read_text(encoding="utf-8")
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    practice = load_settings(tmp_path / "config.toml").practice[0]
    assert practice.policy == PolicySettings()
    assert practice.policy.to_policy() == Policy()
    example = load_settings(EXAMPLE).practice[0]
    left_out = {"ehr", "portal", "merchant"}
    assert practice.model_dump(exclude=left_out) == example.model_dump(exclude=left_out)
    portal = practice.portal
    assert isinstance(portal, EmbeddedPortal)
    assert portal.show_after_minutes == EmbeddedPortal().show_after_minutes


@pytest.mark.parametrize(
    ("table", "model"),
    [
        ("mail", SmtpMail),
        ("practice.ehr", FhirEhr),
        ("practice.portal", ScimPortal),
        ("practice.merchant.warning", WarningText),
    ],
)
def test_the_alternatives_in_the_example_load(table: str, model: type[BaseModel]) -> None:
    block = re.search(rf"^# \[{re.escape(table)}\].*\n((?:# .*\n)+)", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert block is not None
    given = tomllib.loads(re.sub(r"^# ", "", block[1], flags=re.MULTILINE))
    read = model.model_validate(given)
    assert set(given) == set(model.model_fields)
    for name, field in model.model_fields.items():
        if isinstance(field.default, int | float) or name in ("security", "auth"):
            assert getattr(read, name) == field.default, f"{name} is not the default"


def test_every_setting_is_documented() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for model in _models(Settings):
        for name, field in model.model_fields.items():
            key = field.alias or name
            written = rf"^(# ?)?{key} = |^(# )?\[\[?([a-z.]+\.)?{key}\]\]?|[{{ ]{key} = "
            assert re.search(written, text, re.MULTILINE), f"{model.__name__}.{name} is not in config.example.toml"


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A settings model and all below it."""
    yield model
    for field in model.model_fields.values():
        for part in _parts(field.annotation):
            yield from _models(part)


def _parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, tuple) or get_args(annotation):
        for part in get_args(annotation):
            yield from _parts(part)


def test_policy_and_its_settings_have_the_same_switches() -> None:
    assert set(PolicySettings.model_fields) == set(Policy.__struct_fields__)


def test_every_scheduled_job_can_be_logged() -> None:
    assert frozenset(JobName) == JOBS


@pytest.mark.parametrize("path", [path for path in _files({".py"})], ids=_name)
def test_a_file_says_what_it_is_for_and_is_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "has no first line saying what it is for"
    assert len(text.splitlines()) <= LONGEST, f"is longer than {LONGEST} lines"


CORE = sorted((ROOT / "adapter" / "core").rglob("*.py"))


@pytest.mark.parametrize("path", CORE, ids=_name)
def test_the_core_asks_no_clock_and_opens_no_file(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"open", "print", "input", "exec", "eval"}
            assert not called.endswith((".now", ".utcnow", ".today")), f"{called} in line {node.lineno}"


FORBIDDEN = (
    ("/" + "work/", "a path of one machine"),
    ("pypi" + ".org", "a package registry"),
    ("files.python" + "hosted", "a package registry"),
    ("npm" + "js", "a package registry"),
    ("TO" + "DO", "unfinished work"),
    ("FIX" + "ME", "unfinished work"),
    ("XX" + "X", "unfinished work"),
)


def test_no_file_names_what_does_not_belong_here() -> None:
    found = []
    for path in _files(TEXT):
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{_name(path)}: {what} ({word})" for word, what in FORBIDDEN if word in text]
    assert found == []


@pytest.mark.parametrize(("ci", "ending"), [("true", "1 failed, 1 error"), ("", "2 skipped")])
def test_a_skipped_test_fails_in_ci(tmp_path: Path, ci: str, ending: str) -> None:
    (tmp_path / "test_one.py").write_text("import pytest\ndef test_it():\n    pytest.skip('no')\n")
    (tmp_path / "test_all.py").write_text("import pytest\npytest.skip('no', allow_module_level=True)\n")
    options = ["-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ending in shown.stdout
    assert (shown.returncode == 0) == (ci == "")
