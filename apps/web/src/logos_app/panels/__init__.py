"""Panels: one folder a module, found by the module's name. docs/app.md tells how to add one."""
