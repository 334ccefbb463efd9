"""URLs: one form to join them by, their hosts and registered domains."""
