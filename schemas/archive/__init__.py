"""The archive: the database in which jobs are listed and searched. Its tables, and what is looked up in them."""
