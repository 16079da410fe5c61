"""Stand-in providers that speak the real wire protocols and misbehave on request."""
