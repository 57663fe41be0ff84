/* What hangs on the outputs, for host build and emulator: needle pairs in tissue and an output stage with a rail.
 *
 * Part of the world, not of the firmware: it may use floating point. The formulas are those of
 * firmware_sim/analog/needle_pair.py, in steps instead of whole phases, and a test holds one against the other.
 * Currents in uA, signed, first phases positive; time in us, voltages in V. */
#ifndef CIRCUIT_H
#define CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#define OUTPUTS 4
#define RAIL_VOLT 12.0
#define DISCHARGE_OHM 1000.0

struct load {
    double series_ohm, cdl_uf, rct_ohm;
    int leaks_to, leak_permille, earthed_permille;
};

enum drive { OPEN_CIRCUIT, DRIVEN, DISCHARGED };

struct output {
    struct load load;
    double cap_volt, at_us, drive_ua;
    enum drive drive;
};

extern struct output outputs[OUTPUTS];

void circuit_connect(int channel, struct load load);
void circuit_drive(int channel, double at_us, enum drive drive, double drive_ua);
double circuit_current_ua(int channel, double at_us); /* what an ammeter in this output sees */
double circuit_volt(int channel, double at_us);

#endif
