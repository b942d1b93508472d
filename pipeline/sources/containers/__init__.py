"""Delivered bytes as raw tables: files, sheets, archive members and layers, under their headings."""
