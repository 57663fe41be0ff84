"""What nobody can see from the device's end of the wire, with the reason: these requirements have no check."""

NOT_ON_THE_WIRE = {
    "R-01": "a line's rate is not seen in its bytes: the suite opens the port at 115 200 8N1, and a device that "
    "answers at all has it",
    "R-11": "binds the host: how it numbers commands and sends them again; what a device makes of it is R-13 and R-14",
    "R-43": "binds the host: how often it sends KeepAlive; what a device does without is R-44",
    "R-45": "binds the host: when it takes the device for silent; how often a device speaks is R-65",
    "R-49": "binds the host: how it sends Stop, and when it raises an alarm; what a device makes of it is R-46 to R-50",
    "R-76": "binds the host: the empty frames that it sends; that a device minds none is R-06",
    "R-78": "binds the host: what it takes from telemetry that is older than an answer",
    "R-81": "what comes while a command is being executed cannot be timed from the line; repeats as such are R-13",
    "R-83": "a line's rate is not seen in its bytes",
    "R-85": "where its chance comes from is not seen in a nonce; that it is drawn at each Arm is R-34",
    "R-87": "no dummy load unbalances a good device, and how its windows lie is not told",
    "R-88": "a host has no image to hash",
    "R-89": "binds the host: how long it waits for a device that boots when its port is opened",
    "R-90": "nobody can change a device's memory from its end of the line",
}
