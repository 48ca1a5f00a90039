"""Makes the pictures of the documentation anew, docs/images, each by the command that its page gives for it.

A picture belongs to the next command of its page that writes a PNG, the last picture to the last one if none follows.
Figures become JPEGs, so that a page loads fast; the chart of an evaluation stays a PNG, of few colours.

    docs/make_images.py BINARY [NAME …]

BINARY stands in for bin/explaind; names, such as cam.jpg, choose among the pictures."""

import argparse
import os
import pathlib
import re
import subprocess

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIMIT = 150_000  # bytes
PICTURE = re.compile(r"^!\[[^\]]*\]\((\S+)\)$", re.MULTILINE)
COMMAND = re.compile(r"^```(?:sh|shell)\n([^`]* --(?:out|plot) (\S+\.png)\b[^`]*)^```$", re.MULTILINE)


def pictures():
    """[(picture, command, the PNG that it writes)] of all pages."""
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text()
        commands = list(COMMAND.finditer(text))
        for picture in PICTURE.finditer(text):
            command = next((c for c in commands if c.start() > picture.end()), commands[-1])
            found.append(((page.parent / picture[1]).resolve(), command[1], ROOT / command[2]))
    return found


def convert(figure, picture):
    """Saves the figure, a JPEG by the best quality of a few that fits the limit."""
    image = Image.open(figure).convert("RGB")
    if picture.suffix == ".png":
        image.quantize(64, dither=Image.Dither.NONE).save(picture, optimize=True)
        return
    for quality in range(90, 45, -5):
        image.save(picture, quality=quality, optimize=True, progressive=True)
        if picture.stat().st_size < LIMIT:
            return
    raise SystemExit(f"{picture} is larger than {LIMIT} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="name")
    args = parser.parse_args()
    chosen = [p for p in pictures() if not args.names or p[0].name in args.names]
    if missing := set(args.names) - {picture.name for picture, _, _ in chosen}:
        raise SystemExit(f"no page has {', '.join(sorted(missing))}")
    environment = {**os.environ, "XDG_CACHE_HOME": str(ROOT / ".cache/xdg")}  # not the user's own
    for picture, command, figure in chosen:
        command = command.replace("bin/explaind", str(args.binary.resolve()))
        figure.parent.mkdir(exist_ok=True)
        figure.unlink(missing_ok=True)  # so that none of an earlier run is taken
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        convert(figure, picture)
        print(f"{picture.relative_to(ROOT)}  {picture.stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    main()
