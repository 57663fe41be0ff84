"""A simulated oscilloscope: a TCP server that speaks SCPI and sees what a simulated stimulator puts into its load.

front_end.py   what it would take: a trigger, a window, eight bits, noise
rigol.py       the SCPI of Rigol's DS1000Z
siglent.py     the SCPI of Siglent's SDS1000X-E
server.py      the socket
bench_port.py  a port whose device and oscilloscope share one load
"""
