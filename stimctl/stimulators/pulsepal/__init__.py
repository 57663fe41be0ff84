"""The adapter for PulsePal, firmware 21 and 22, and its gate."""
