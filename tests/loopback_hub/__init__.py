"""A small Hub on this machine's loopback, that speaks what huggingface_hub really asks."""

from .server import Fault, LoopbackHub


__all__ = ["Fault", "LoopbackHub"]
