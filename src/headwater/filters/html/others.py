"""Text of a page by packages of others, with fixed settings: what they recommend for the text of a page, tables included.

They are not needed unless a recipe names them; ``pip install 'headwater[web-extractors]'`` brings them. Their version is part of what identifies
such an extractor: an update is another extractor, and what it makes of a page replaces what the earlier one made.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Final

from headwater.errors import UsageError
from headwater.extras import needing_extras
from headwater.filters.html.extractors import ExtractorSettings

__all__ = ["VERSION", "check_package", "others_text", "package_version"]

VERSION: Final = 1
"""Raised when a setting below changes."""
_MODULES: Final = {"resiliparse": "resiliparse.extract.html2text", "trafilatura": "trafilatura"}


def check_package(method: str) -> None:
    """Import the package behind a method.

    Raises:
        MissingPackageError: it is not installed.
    """
    with needing_extras():
        importlib.import_module(_MODULES[method])


def package_version(method: str) -> str:
    """Return the version of the package behind a method; raises as ``check_package``."""
    check_package(method)
    return importlib.metadata.version(method)


def others_text(html: str, settings: ExtractorSettings) -> str:
    """Return what a package of others takes for the text of a page, empty where it finds none.

    Args:
        html: the page, decoded.
        settings: of a method of ``OF_OTHERS``.

    Raises:
        UsageError: no such method.
        MissingPackageError: the package is not installed.
    """
    check_package(settings.method)
    if settings.method == "resiliparse":
        return _resiliparse(html, settings.comments == "keep")
    if settings.method == "trafilatura":
        return _trafilatura(html, settings.comments == "keep", markdown=settings.form == "markdown")
    raise UsageError(f"expected a method of {', '.join(_MODULES)}, found {settings.method!r}")


def _resiliparse(html: str, comments: bool) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    return str(extract_plain_text(html, main_content=True, preserve_formatting=True, comments=comments))


def _trafilatura(html: str, comments: bool, *, markdown: bool) -> str:
    from trafilatura import extract

    form = "markdown" if markdown else "txt"
    found = extract(html, output_format=form, include_comments=comments, include_tables=True, deduplicate=False)
    return found or ""
