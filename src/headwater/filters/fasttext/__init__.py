"""fastText models: their files, and the kernels that give the labels and probabilities of the original."""
