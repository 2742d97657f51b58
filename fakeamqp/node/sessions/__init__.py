"""What clients say, and what answers them."""
