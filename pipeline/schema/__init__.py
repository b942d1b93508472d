"""Tables and columns declared once, periods, errors, texts in both languages."""
