"""Where componentize-py looks for what the interface `stream-hook` exports."""

from tidegate_plugin._export import Session

__all__ = ["Session"]
