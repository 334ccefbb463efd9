"""Does selection help? Language models trained on what scores, filters and chance choose, judged on text that none of them saw."""
