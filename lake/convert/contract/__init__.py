"""What is declared of columns, held against rows."""
