"""What no firmware can change: converters, needles and tissue, and a record of what flowed through them."""
