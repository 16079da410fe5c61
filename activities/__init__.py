"""The doing: everything that speaks to the database or to a provider on behalf of a workflow."""
