"""The types of `sdk/wit/types.wit`, as componentize-py makes them: `types.Part_Text`, `types.Context`, ..."""

from componentize_py_types import Err
from wit_world.imports import types
from wit_world.imports.types import Role, Severity

__all__ = ["Err", "Role", "Severity", "types"]
