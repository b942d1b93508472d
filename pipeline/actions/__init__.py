"""Gap areas and their ledger, priorities, causes, fieldwork."""
