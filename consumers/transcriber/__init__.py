"""The transcriber: a record that names audio in, a transcript event out."""
