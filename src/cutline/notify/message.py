"""A letter as a MIME message: text, HTML with its picture inside, and the file where it comes along."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP

from cutline.notify.letter import PICTURE, Letter

POLICY = SMTP.clone(cte_type="7bit")
"""Lines of plain ASCII, which every server passes on as they are"""


def composed(
    letter: Letter, *, sender: str, to: str, picture: bytes | None = None, file: tuple[str, bytes] | None = None
) -> bytes:
    """``picture``: a PNG. ``file``: a TIFF with its name."""
    message = EmailMessage(POLICY)
    message["Subject"] = letter.subject
    message["From"] = f"Cutline <{sender}>"
    message["To"] = to
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: answering machines leave it alone
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    if picture is not None:
        body = message.get_payload()[1]  # type: ignore[index]
        body.add_related(  # type: ignore[union-attr]
            picture, "image", "png", cid=f"<{PICTURE}>", disposition="inline", filename="quicklook.png"
        )
    if file is not None:
        name, content = file
        message.add_attachment(content, "image", "tiff", filename=name)
    return message.as_bytes()
