"""Pure decisions over frozen values; standard library only."""
