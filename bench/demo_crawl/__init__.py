"""The crawl that the demo ships: pages written for Headwater, and the program that turns them into a WARC."""
