"""Addresses of the API, as they stand in answers, mails and events."""

from __future__ import annotations

from cutline.models.record import ExportRecord
from cutline.settings import service


def export_url(export_id: str, part: str = "") -> str:
    """Of an export, or of a part of it."""
    return f"{service().url}/exports/{export_id}" + (f"/{part}" if part else "")


def download_url(record: ExportRecord) -> str:
    """The address that stays: the API's own, which knows who may and redirects."""
    return export_url(record.export_id, "download")


def webhook_url(webhook_id: str) -> str:
    return f"{service().url}/webhooks/{webhook_id}"
