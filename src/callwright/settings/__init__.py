"""Settings with origins (`load`), their reference file (`document`) and what is in force (`rows`)."""

from callwright.settings.document import Row, document, rows
from callwright.settings.load import Loaded, load
from callwright.settings.sections import Settings

__all__ = ["Loaded", "Row", "Settings", "document", "load", "rows"]
