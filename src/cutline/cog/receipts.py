"""The receipts of tiles in a workspace: where they are, and whether what they promise is there."""

from __future__ import annotations

from pydantic import ValidationError

from cutline.models.plan import TilePlan
from cutline.models.receipt import TileReceipt
from cutline.store.workspace import Workspace


def receipt_name(key: str) -> str:
    return f"{key}/receipt.json"


def read_receipt(tile: TilePlan, workspace: Workspace) -> TileReceipt | None:
    """What was written last of a tile; None where there is no receipt, or one of something else."""
    try:
        receipt = TileReceipt.model_validate_json(workspace.get(receipt_name(tile.key)) or b"")
    except ValidationError:
        return None
    return receipt if receipt.key == tile.key and receipt.empty != bool(receipt.segments) else None


def finished(tile: TilePlan, workspace: Workspace) -> TileReceipt | None:
    """The receipt of a tile done before, if all that it promises is still there; a damaged tile is done again."""
    receipt = read_receipt(tile, workspace)
    if receipt is None:
        return None
    promised = [(each.name, each.nbytes) for each in receipt.segments]
    if receipt.apex is not None:
        promised.append((receipt.apex, receipt.apex_nbytes))
    return receipt if all(workspace.size(name) == nbytes for name, nbytes in promised) else None
