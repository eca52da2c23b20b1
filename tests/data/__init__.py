"""Files that cannot be encoded on the spot, and what made them."""
