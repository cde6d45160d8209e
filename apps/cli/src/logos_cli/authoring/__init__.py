"""Modules by others: makes one, and checks one."""
