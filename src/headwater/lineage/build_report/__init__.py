"""The report of a build: what each stage chose, from where, at which cut."""
