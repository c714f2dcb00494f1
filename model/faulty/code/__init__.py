"""What the faulty models need to be loaded; it travels with them."""
