"""PulsePal's own bugs, and faults that can be put in. Their names are values of the option `faults`."""

NATURAL = {
    "deaf": "after a command cut short it hears nothing until somebody clicks the joystick",
    "zero_phase_dc": "a first phase of zero is DC until the train ends",
    "no_biphasic_loop": "a custom train of two phases does not loop",
    "latched_trigger": "a soft trigger while a train plays starts another at its end",
    "dac_held": "after a command cut short each output stays where it was",
    "false_ack": "a command cut short is acknowledged with 1",
    "cut_end": "a train's end and a burst's end cut a pulse in two",
}
EXTRA = {
    "truncated": "of the first command after each soft trigger the last byte is lost",
    "lost_stop": "ops 80, 81 and 98 do not arrive",
    "unapplied": "op 74 is confirmed and changes nothing",
    "silence": "after the first soft trigger nothing is said",
    "split_writes": "what is said comes in small pieces",
}
EXTRA_22 = {**EXTRA, "rejects": "each program is answered with 0 and not taken"}
