"""The offline bundle: its installer on machines that suit and on those that do not, and a real one, used."""
