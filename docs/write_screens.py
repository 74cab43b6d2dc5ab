"""Makes a picture of every page, light and dark, on a desktop and a phone: ``make screens`` (into ``var/screens``)."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.site import ADMIN, browser, site  # noqa: E402 - the project's folder has to be found first
from tests.browser.tour import PAGES, find  # noqa: E402

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
SCHEMES = ("light", "dark")


def main() -> None:
    """Writes ``<page>-<size>-<scheme>.png``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "var" / "screens")
    parser.add_argument("--whole", action="store_true", help="the whole page, not only what a screen shows")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        site(Path(folder) / "demo", families=60) as running,
        browser() as chromium,
    ):
        page = running.enter(chromium)
        state = page.context.storage_state()
        addresses = {"find": ""} | {name: f"{ADMIN}/{path}" for name, path in PAGES.items()}
        addresses["person"] = find(page, "osei")
        addresses["chart"] = find(page, "kofi", children=True)
        for size, (width, height) in SIZES.items():
            for scheme in SCHEMES:
                screen = {"width": width, "height": height}
                looks: dict[str, Any] = {"base_url": running.address, "viewport": screen, "color_scheme": scheme}
                page = chromium.new_context(**looks, storage_state=state).new_page()
                for name, address in addresses.items():
                    if name == "find":
                        find(page, "ma")
                    else:
                        page.goto(address)
                    page.screenshot(path=options.folder / f"{name}-{size}-{scheme}.png", full_page=options.whole)
                page = chromium.new_context(**looks).new_page()
                page.goto("/sign-in")
                page.screenshot(path=options.folder / f"sign-in-{size}-{scheme}.png")


if __name__ == "__main__":
    main()
