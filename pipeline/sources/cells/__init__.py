"""How a column of a foreign file is written, decided by the whole column, and its cells read so."""
