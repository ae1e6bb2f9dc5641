"""A data folder as one file, made while the server runs, and made into a data folder again."""
