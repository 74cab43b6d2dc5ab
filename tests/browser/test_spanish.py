"""In Spanish no page says an English sentence, whatever the rules have said about the demo's families."""

import re

from playwright.sync_api import Browser, Page

from tests.browser.site import ADMIN, Site
from tests.browser.tour import PAGES

ENGLISH = re.compile(
    r"\b(the|is|was|did|does|were|has|have|with|because|somebody|nobody|this|and|not)\b", re.IGNORECASE
)
SEEN = """() => {
  const texts = [], walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const within = walk.currentNode.parentElement;
    if (!within.closest('[lang=en], [lang=es] .tile, code, .mono, .address, option, textarea, .step-rule'))
      texts.push(walk.currentNode.textContent.trim());
  }
  return texts.filter(Boolean);
}"""
READS_ONLY_ENGLISH = {"audit", "settings"}
"""They show what was written down, and the configuration, as they are."""


def test_no_page_in_spanish_says_an_english_sentence(running: Site, chromium: Browser, page: Page) -> None:
    state = page.context.storage_state()
    spanish = chromium.new_context(base_url=running.address, storage_state=state, locale="es-US").new_page()
    paths = [f"{ADMIN}/{path}" for name, path in PAGES.items() if name not in READS_ONLY_ENGLISH]
    people: set[str] = set()
    for letters in ("osei", "okafor", "lindgren", "ma", "mother", "self"):
        page.goto(f"{ADMIN}/find")
        page.get_by_role("searchbox").fill(letters)
        page.get_by_role("button", name="Find").click()
        page.locator("#results").wait_for()
        people |= {
            link.get_attribute("href") or ""
            for link in page.locator("#results a[href*='/accounts/'], #results a[href*='/contacts/']").all()
        }
    assert len(people) >= 5
    left: dict[str, str] = {}
    for path in [*paths, *sorted(people)]:
        spanish.goto(path)
        left |= {text: path for text in spanish.evaluate(SEEN) if ENGLISH.search(text)}
    assert not left, "\n".join(f"{where}: {text}" for text, where in left.items())
