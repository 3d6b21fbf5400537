"""The types of `sdk/wit/types.wit`, as componentize-py makes them: `types.Part_Text`, `types.Context`, ..."""

from wit_world.imports import types
from wit_world.imports.types import Role, Severity

__all__ = ["Role", "Severity", "types"]
