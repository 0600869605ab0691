"""Every code block of the docs is executed, in order, page by page, in a directory that holds examples and demo data.

``console`` blocks: lines after ``$`` are run; ``# exit N`` says that another exit code than 0 is meant; output that is
shown must come (``...`` stands for anything). ``python`` blocks of a page run in one module. ``yaml`` blocks with a
``rule`` are timelines, of rows or of what was ``said`` about ids; others are definitions and must load. ``sh`` blocks
are the README's commands, run by `.ci/run`. ``js`` blocks run in Node, with the SDKs that `make test` installs. The
page on sending events has a server to send to.
"""

from __future__ import annotations

import doctest
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import doorstep
from commands import Ran, typed
from doorstep.demo import write
from said import hold
from servers import FixedKeys, running
from sinks import SqliteSink
from timelines import case_from, told
from walks import by_kernel

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SAID = "http://127.0.0.1:8321"
_FOR_A_SHELL = re.compile(r"[|&;<>$`*?~(\n]")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated events, once."""
    directory = tmp_path_factory.mktemp("demo")
    write(directory)
    return directory


@pytest.fixture
def place(tmp_path: Path, demo: Path) -> Path:
    """A directory as the docs suppose it."""
    (tmp_path / "data").symlink_to(demo)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def _commands(block: str) -> Iterator[tuple[str, str]]:
    """(command, output shown) of a console block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        if command.endswith("<<'END'"):
            text, _, shown = shown.partition("\nEND\n")
            command += f"\n{text}\nEND\n"
        yield command, shown


def _run_command(command: str, place: Path) -> Ran:
    """By a shell, or in this process where there is nothing for a shell to do."""
    if command.startswith("doorstep ") and not _FOR_A_SHELL.search(command):
        return typed(place, *shlex.split(command, comments=True)[1:])
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(command, shell=True, cwd=place, env=environment, capture_output=True, text=True, check=False)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def _run_console(block: str, place: Path) -> None:
    for command, shown in _commands(block):
        expected = int(found[1]) if (found := re.search(r"# exit (\d+)", command)) else 0
        ran = _run_command(command, place)
        assert ran.returncode == expected, f"{command}\n{ran.stdout}\n{ran.stderr}"
        assert "Traceback" not in ran.stderr
        if shown.strip():
            got = "\n".join(line.rstrip() for line in (ran.stdout + ran.stderr).splitlines()) + "\n"
            same = doctest.OutputChecker().check_output(shown.rstrip() + "\n", got.rstrip() + "\n", doctest.ELLIPSIS)
            assert same, f"{command}\nshown:\n{shown}\ngot:\n{got}"


def _run_yaml(block: str) -> None:
    document: Any = yaml.safe_load(block)
    if "said" in document:
        hold(document)
    elif "rule" in document:
        case = case_from(document)
        assert [told(case, one) for one in by_kernel(case)] == document["gives"], document["rule"]
    else:
        results = doorstep.run_examples(doorstep.load(document))
        assert [one.message for one in results if not one.passed] == []


def _run_js(block: str, place: Path) -> None:
    node, sdks = shutil.which("node"), ROOT / "tests" / "server" / "node" / "node_modules"
    if node is None or not sdks.is_dir():
        assert "CI" not in os.environ
        return
    environment = {**os.environ, "NODE_PATH": str(sdks)}
    subprocess.run([node, "-e", block], cwd=place, env=environment, check=True, timeout=60)


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[SqliteSink, str] | None]:
    """What the page on sending events sends to, and where it is in place of `SAID`."""
    if request.node.callspec.params["page"].name != "sending-events.md":
        yield None
        return
    sink = SqliteSink(tmp_path / "kept.sqlite")
    with running(sink, keys=FixedKeys({"WRITE_KEY": "website"})) as address:
        yield sink, address
    sink.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_code_block_of_a_page_works(
    page: Path, place: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[SqliteSink, str] | None
) -> None:
    """A reader who types what the page says sees what the page says."""
    monkeypatch.chdir(place)
    names: dict[str, Any] = {}
    text = page.read_text("utf-8")
    for language, block in BLOCK.findall(text if server is None else text.replace(SAID, server[1])):
        match language:
            case "console":
                _run_console(block, place)
            case "python":
                exec(compile(block, str(page), "exec"), names)
            case "yaml":
                _run_yaml(block)
            case "js":
                _run_js(block, place)
            case "sh":
                assert set(block.split("\n")) - {""} <= {"make run", "make test"}
            case _:
                assert language == "text"
    if server is not None:
        placed = [event.event for event in server[0].events()]
        assert placed in (["Order Placed"] * 5, ["Order Placed"] * 8)  # three of them from Node, where that is
        assert [one.code for one in server[0].rejects()] == ["no-identity"]


def test_links_between_pages_lead_somewhere() -> None:
    """No link of the docs is broken."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_language_reference_is_what_the_models_say() -> None:
    """docs/definitions.md is up to date; ``python docs/make_reference.py`` makes it so."""
    names = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))
    assert names["page"]() == (ROOT / "docs" / "definitions.md").read_text("utf-8")


def test_the_reference_of_journeys_is_what_the_models_say() -> None:
    """docs/journey-definitions.md is up to date; ``python docs/make_journey_reference.py`` makes it so."""
    names = runpy.run_path(str(ROOT / "docs" / "make_journey_reference.py"))
    assert names["page"]() == (ROOT / "docs" / "journey-definitions.md").read_text("utf-8")


def test_the_reference_of_automations_is_what_the_models_say() -> None:
    """docs/automation-definitions.md is up to date; ``python docs/make_automation_reference.py`` makes it so."""
    names = runpy.run_path(str(ROOT / "docs" / "make_automation_reference.py"))
    assert names["page"]() == (ROOT / "docs" / "automation-definitions.md").read_text("utf-8")
