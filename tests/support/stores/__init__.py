"""Object stores for tests: a server of S3 on loopback that checks signatures, and a proxy before it that does what networks do."""
