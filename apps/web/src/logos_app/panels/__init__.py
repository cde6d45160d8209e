"""Panels: one folder each, found by the name of its module. docs/app.md tells how to add one."""
