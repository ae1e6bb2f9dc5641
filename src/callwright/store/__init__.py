"""The database: named queries, one writer with group commit, readers that never wait for it.

Rooms build `Write` values with functions of their own and hand a `Change` to `Store.commit`, which resolves when it is
on disk. SQL text lives in ``store/sqlite/<room>.sql``; a query is called ``<room>.<name>``.
"""

from callwright.store.batch import ConstraintViolated, Transaction
from callwright.store.change import Change, Param, Row, Wake, Write
from callwright.store.reading import Reader
from callwright.store.store import Store

__all__ = ["Change", "ConstraintViolated", "Param", "Reader", "Row", "Store", "Transaction", "Wake", "Write"]
