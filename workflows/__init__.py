"""Durable processes, one file per kind of thing that lives a while."""
