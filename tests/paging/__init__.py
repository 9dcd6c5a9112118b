"""From probe to pager: what it takes until someone is woken, and who."""
