"""What the columns of files hold, in figures that add up."""
