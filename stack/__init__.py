"""The whole stack on one machine: start, watch, inspect and stop its processes."""
