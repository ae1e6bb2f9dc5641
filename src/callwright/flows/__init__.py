"""Call flows: what they may say, where they are kept, and the pure interpreter that runs them."""
