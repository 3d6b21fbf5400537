"""What a plugin may ask of the gateway: the functions of `sdk/wit/host.wit`. What is not granted raises."""

from wit_world.imports import blobs, clock, http, kv, log, metrics, model, random, secrets

__all__ = ["blobs", "clock", "http", "kv", "log", "metrics", "model", "random", "secrets"]
