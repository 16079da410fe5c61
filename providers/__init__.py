"""How each company spells a message; translation only, the transport sends."""
