"""What is done at the bench, with a device, a dummy load and nobody at the leads."""
