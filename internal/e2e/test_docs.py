"""The commands and snippets of the documentation, run as they stand there.

Of each page, the blocks of sh and python run in order in the repository; a block of text holds what the block before it
prints, "…" standing for any lines. `explaind serve` gets a port of its own, which stands in for the usual one; make is
left out."""

import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from conftest import environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALL_PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in ALL_PAGES if re.search(r"^```(sh|python|text)$", (ROOT / page).read_text(), re.MULTILINE)]
USUAL_ADDRESS = "127.0.0.1:8500"


def blocks(page):
    """[(language, text)] of the page's fenced blocks that have one of our languages."""
    found = re.findall(r"^```(sh|python|text)\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no blocks"
    return found


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("binary", "models")
def test_page(page, start_server):
    page_blocks = blocks(page)
    (ROOT / "demo").mkdir(exist_ok=True)  # as make demo leaves it
    address, printed = None, ""
    if any(USUAL_ADDRESS in text for _, text in page_blocks):
        serving = [text for _, text in page_blocks if text.startswith("bin/explaind serve ")] or [
            "bin/explaind serve --models .cache/models"
        ]
        address = start_server(*shlex.split(serving[0])[2:]).address
    for language, text in page_blocks:
        if language == "text":
            check_printed(text, printed)
        elif not text.startswith(("make ", "bin/explaind serve ")):
            printed = run(language, text.replace(USUAL_ADDRESS, address or USUAL_ADDRESS))


def run(language, text):
    python = pathlib.Path(sys.executable)
    variables = {
        **environment(),
        "PYTHONPATH": ".cache/stubs",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "XDG_CACHE_HOME": str(ROOT / ".cache/xdg"),  # not the user's own
    }
    command = [python, "-c", text] if language == "python" else ["bash", "-euo", "pipefail", "-c", text]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def check_printed(expected, printed):
    pattern = ".*".join(re.escape(part.strip("\n")) for part in expected.split("…"))
    assert re.fullmatch(pattern, printed.strip("\n"), re.DOTALL), (
        f"the page says\n{expected}\nbut this was printed:\n{printed}"
    )


def test_links():
    """Links and pictures lead to files that exist."""
    for page in ALL_PAGES:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", (ROOT / page).read_text()):
            if "://" not in target:
                assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
