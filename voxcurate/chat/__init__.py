"""Chat engines: conversations and a schema in, validated replies out, every call logged."""

from voxcurate.chat.engine import EngineConfig, make_engine
from voxcurate.chat.log import CallLog

__all__ = ["CallLog", "EngineConfig", "make_engine"]
