"""A pytest plugin that plays flows: the product's own code, on a clock that moves as far as a test likes."""
