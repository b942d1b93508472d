"""DOCX → PDF with LibreOffice, where it is installed."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

SECONDS = 120


def libreoffice() -> str | None:
    """LibreOffice's command, or None where there is none."""
    return next(
        (found for name in ("soffice", "libreoffice") if (found := shutil.which(name))), None
    )


def write_pdf(docx: Path, created: datetime) -> bool:
    """Write the PDF beside a DOCX; False where LibreOffice is absent or gives up.

    `created` is the time inside; the document's random ids become its content's hash: equal
    reports, equal bytes.
    """
    command = libreoffice()
    if command is None:
        return False
    with (
        tempfile.TemporaryDirectory() as profile
    ):  # a profile of its own: a LibreOffice that is open would refuse
        asked = [
            command,
            f"-env:UserInstallation={Path(profile).as_uri()}",
            "--headless",
            "--convert-to",
            "pdf",
        ]
        try:
            done = subprocess.run(  # noqa: S603 - LibreOffice as found, a list of arguments
                [*asked, "--outdir", str(docx.parent), str(docx)],
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    pdf = docx.with_suffix(".pdf")
    if done.returncode != 0 or not pdf.is_file():
        return False
    pdf.write_bytes(settled(pdf.read_bytes(), docx.read_bytes(), created))
    return True


def settled(pdf: bytes, docx: bytes, created: datetime) -> bytes:
    """A PDF of LibreOffice without its clock and random ids.

    `created` stands for the clock and the DOCX's hash for the ids; no byte moves.

    >>> settled(b"(D:20261122224236Z')", b"", datetime(2026, 10, 31))
    b"(D:20261031000000Z')"
    """
    digest = hashlib.sha256(docx).hexdigest().upper().encode()[:32]
    ids = rb"(/ID \[\s*<)[0-9A-F]{32}(>\s*<)[0-9A-F]{32}(>\s*\])"
    pdf = re.sub(ids, lambda m: m[1] + digest + m[2] + digest + m[3], pdf)
    pdf = re.sub(rb"\(D:\d{14}", f"(D:{created:%Y%m%d%H%M%S}".encode(), pdf)
    return re.sub(rb"(/DocChecksum /)[0-9A-F]{32}", lambda m: m[1] + digest, pdf)
