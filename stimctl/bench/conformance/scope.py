"""What nobody can see from the device's end of the wire, with the reason: these requirements have no check."""

NOT_ON_THE_WIRE = {
    "R-01": "a line's rate is not seen in its bytes: the suite opens the port at 115 200 8N1, and a device that "
    "answers at all has it",
    "R-11": "binds the host: how it numbers commands and sends them again; what a device makes of it is R-13 and R-14",
    "R-43": "binds the host: how often it sends KeepAlive; what a device does without is R-44",
    "R-45": "binds the host: when it takes the device for silent; how often a device speaks is R-65",
    "R-49": "binds the host: how it sends Stop, and when it raises an alarm; what a device makes of it is R-46 to R-50",
}
