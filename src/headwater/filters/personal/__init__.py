"""Personal data and secrets: where in a text they stand, of what type and how sure it is; never a value."""
