"""What can be driven: one adapter a protocol, all alike to the session above them."""
