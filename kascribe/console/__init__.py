"""Output of the commands: the live board, plain lines, the state of jobs behind them."""
