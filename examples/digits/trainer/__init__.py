"""A trainer that learns to read handwritten digits."""
