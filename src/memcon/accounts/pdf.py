"""The text of a PDF, as far as one stands in it: scans have none, and are kept all the same."""

from __future__ import annotations

import io
from typing import Any

from memcon.accounts.readings import Reading, shortened

KIND = "application/pdf"
MOST_PAGES = 2000


def read_pdf(data: bytes) -> Reading:
    """A PDF as a source; what pypdf cannot read is a remark."""
    import pypdf  # loads slowly: only when a PDF is read
    from pypdf.errors import PyPdfError

    defects = (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        OSError,
    )
    remarks: list[str] = []
    pages: list[str] = []
    facts: dict[str, Any] = {}
    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            return Reading(data, KIND, None, "", ("The PDF is encrypted: no text could be read from it",))
        count = len(reader.pages)
        info = reader.metadata
        if info is not None:
            facts = {k: shortened(str(v)) for k, v in (("title", info.title), ("author", info.author)) if v}
    except defects as error:
        return Reading(data, KIND, None, "", (f"No text could be read from it: {type(error).__name__}",))
    for n in range(min(count, MOST_PAGES)):
        try:
            pages.append(reader.pages[n].extract_text().strip())
        except defects as error:
            remarks.append(f"Page {n + 1} could not be read: {type(error).__name__}")
    text = "\n\n".join(page for page in pages if page)
    if not text:
        remarks.append("No text stands in it: a scan, or pictures of words")
    reader_name = f"pypdf {pypdf.__version__}"
    return Reading(data, KIND, _encodable(text) or None, reader_name, tuple(remarks[:20]), facts)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
