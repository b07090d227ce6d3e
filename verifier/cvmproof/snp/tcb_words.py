"""A TCB of a report in words: its components by name, or its bytes where they are not laid out as they should be."""

from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.snp.tcb import read_tcb


class TcbWords:
    """Eight bytes and the product line whose layout they have; read only when somebody wants the words."""

    __slots__ = ("product", "raw")

    def __init__(self, raw: bytes, product: ProductLine | None) -> None:
        self.raw = raw
        self.product = product

    def __str__(self) -> str:
        if self.product is None:
            return self.raw.hex()
        try:
            return str(read_tcb(self.raw, self.product))
        except Malformed:
            return self.raw.hex()
