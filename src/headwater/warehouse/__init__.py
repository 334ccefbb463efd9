"""The wide table: schema, fragments, snapshots, commits, maintenance. The only code that touches Delta."""
