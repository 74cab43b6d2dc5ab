"""Brings adapter/web/translations/es.po up to date with the pages: new sentences come in without a translation."""

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

WEB = Path(__file__).parents[1] / "adapter" / "web"
TARGET = WEB / "translations" / "es.po"
METHODS = [("templates/**.html", "jinja2"), ("**.py", "python")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "words": None, "say": None}


def sentences() -> Catalog:
    """Every sentence of the pages, in the order of the files."""
    catalog = Catalog()
    options = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "trimmed": "true"}}
    for file, _, message, _, context in extract_from_dir(WEB, METHODS, options_map=options, keywords=KEYWORDS):
        if not file.startswith("translations"):
            catalog.add(message, context=context)
    return catalog


def main() -> None:
    """Writes the file anew; sentences that no page has any more go away."""
    with TARGET.open("rb") as file:
        catalog = read_po(file, locale="es")
    catalog.update(sentences(), no_fuzzy_matching=True, update_creation_date=False)
    written = BytesIO()
    write_po(written, catalog, width=118, no_location=True, ignore_obsolete=True, omit_header=True)
    TARGET.write_bytes(
        b"# The pages in Spanish; `make docs` adds sentences that are new.\n" + HEADER + written.getvalue()
    )


HEADER = rb"""msgid ""
msgstr ""
"Language: es\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

"""

if __name__ == "__main__":
    main()
