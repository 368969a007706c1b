"""`make mutants`: plant small faults in the modules that decide, and count which ones the fast tests notice."""
