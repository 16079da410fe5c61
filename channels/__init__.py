"""What a medium can carry: render, measure, check; no input or output."""
