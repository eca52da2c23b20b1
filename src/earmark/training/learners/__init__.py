"""Ways to learn, side by side; none imports another, nor what chooses among them."""
