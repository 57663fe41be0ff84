/* The shared library's functions, also read by firmware_sim/chip/host_build.py: plain declarations only below the line.
 */
#ifndef HOST_BOARD_H
#define HOST_BOARD_H
#include <stdint.h>
/* ---- */
struct host_flow {
    uint64_t at_us;
    int32_t first_na, second_na;
    uint16_t first_us, gap_us, second_us;
    uint8_t channel, cut;
};
void host_power_on(uint32_t seed);
uint64_t host_next_us(void);
void host_advance(uint64_t to_us);
void host_receive(const uint8_t *bytes, uint32_t size);
uint32_t host_take(uint8_t *to, uint32_t room);
uint32_t host_flows(struct host_flow *to, uint32_t room);
void host_connect(int channel, double series_ohm, double cdl_uf, double rct_ohm, int leaks_to, int leak_permille,
                  int earthed_permille);
void host_break_dac(int channel, double gain, double stuck_ua);
uint8_t *host_memory(void);
void host_cut_power_after(uint32_t bytes);
/* ---- */
#endif
