"""What a document says: read with positions, validated, named by a hash, described by a schema.

Knows no data and no engine. `load` gives a `Funnel` or raises `DefinitionError` with everything that is wrong.
"""

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.identity import canonical, definition_hash, text_hash
from doorstep.definitions.journey import Journey
from doorstep.definitions.reading import load
from doorstep.definitions.schema import json_schema

__all__ = ["Funnel", "Journey", "canonical", "definition_hash", "json_schema", "load", "text_hash"]
