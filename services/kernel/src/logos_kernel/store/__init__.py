"""Implementations of `core.ports.ModuleStore`."""
