"""Reading: views over what the log names."""
