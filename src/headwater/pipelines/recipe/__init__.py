"""The recipe: a whole job as data, checked before anything is done, and what it says of each operator."""
