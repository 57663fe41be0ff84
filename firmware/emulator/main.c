/* simavr with our board around it, told what to do over a pipe. A program of its own, because simavr is under the GPL.
 *
 *     emulator IMAGE.elf
 *
 * A request is a letter, the size of what follows (u32), and that; each is answered by a size (u32) and that many
 * bytes. All little-endian:
 *     r  u64 cycle, u8 whole   run to that cycle, or until a frame has left; u64 cycle, u8 alive, u32 n, n bytes out,
 *                              u32 m, m changes (struct change)
 *     i  bytes                 they arrive one by one, from now on
 *     l  u8 channel, 3 doubles, 3 i32   connect a load
 *     d  u8 channel, 2 doubles          break a DAC: gain, and what it is stuck at (NaN: nothing)
 *     a  u8 channel, 3 doubles          break an ammeter (gain, offset in uA), or the switch behind it (leak in uA)
 *     x  u8 power              reset; with `power` its RAM is lost
 *     m, M bytes               read, write the FRAM
 *     w  u32, u8 power         a reset once the FRAM has taken so many bytes more; with `power` its RAM is lost
 *     q                        for each interrupt since it was asked last: u32, u32, u64 (struct latency)
 *     s  u16 from              how many bytes of RAM from there on were never written (it is painted at power-on)
 *     t                        how often a converter was given less time than its datasheet asks for (u32)
 *     f  u16 address, u8 mask   turn over these bits of a byte of RAM; u8, the byte as it then is
 *     h                        hang: interrupts off, and nothing is done any more
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <avr_adc.h>
#include <avr_uart.h>
#include <sim_avr.h>
#include <sim_elf.h>

#include "board_model.h"
#include "circuit.h"

#define BYTE_CYCLES 1389 /* of the host's line: 16 MHz / 11 520 */
#define PAINT 0xA5
#define MOST 1048576
#define EICRA 0x69
#define PIN_OF(port) (0x23 + 3 * (port)) /* 0 is port B; its direction and its output stand behind its input */
#define DDR_OF(port) (PIN_OF(port) + 1)
#define PORT_OF(port) (PIN_OF(port) + 2)
#define AT_ONCE 100000 /* cycles, at most, that simavr goes between two events of its own */
#define INTERRUPTS 26

static FILE *replies; /* what stdout was: simavr talks there, and is not heard */
static avr_t *avr;
static elf_firmware_t image;
static avr_irq_t *line_in;
static uint8_t out[MOST], waiting[MOST];
static uint32_t out_size, in_first, in_end;
static struct change changes[MOST / 16];
static uint32_t change_count;
static bool frame_left, is_full, power_goes;
static uint64_t noise = 1;

static void set_pin(char port, int pin, int value)
{
    uint8_t *of = &avr->data[PIN_OF(port - 'B')];
    *of = (uint8_t)(value ? *of | 1 << pin : *of & ~(1 << pin));
}

static void note(struct change change)
{
    if (change_count < sizeof changes / sizeof *changes)
        changes[change_count++] = change;
}

/* In place of simavr's own, which tells of all eight pins at each write: a hundred bytes go over a bus bit by bit. */
static void port_written(avr_t *of, avr_io_addr_t at, uint8_t value, void *which)
{
    static uint8_t shown[3];
    long port = (long)which;
    of->data[at] = value;
    uint8_t now = of->data[PORT_OF(port)] & of->data[DDR_OF(port)], changed = now ^ shown[port];
    shown[port] = now;
    for (int pin = 0; changed; pin++, changed >>= 1)
        if (changed & 1)
            model_pin((char)('B' + port), pin, now >> pin & 1, of->cycle);
    if (fram_is_cut)
        of->run_cycle_count = 0; /* the reset comes behind this instruction */
}

static void watch_port(long port)
{
    for (avr_io_addr_t at = DDR_OF(port); at <= PORT_OF(port); at++) {
        avr->io[AVR_DATA_TO_IO(at)].w.c = port_written;
        avr->io[AVR_DATA_TO_IO(at)].w.param = (void *)port;
    }
}

static avr_cycle_count_t frame_has_left(avr_t *of, avr_cycle_count_t when, void *nothing)
{
    (void)of, (void)when, (void)nothing;
    frame_left = true;
    return 0;
}

static avr_cycle_count_t look_up(avr_t *of, avr_cycle_count_t when, void *nothing)
{
    (void)of, (void)when, (void)nothing;
    return 0;
}

static void byte_out(avr_irq_t *irq, uint32_t value, void *nothing)
{
    (void)irq, (void)nothing;
    if (out_size < sizeof out)
        out[out_size++] = (uint8_t)value;
    if (value == 0)
        avr_cycle_timer_register(avr, BYTE_CYCLES, frame_has_left, NULL);
}

static void flow(avr_irq_t *irq, uint32_t value, void *full)
{
    (void)irq, (void)value;
    is_full = full != NULL;
}

static avr_cycle_count_t byte_in(avr_t *of, avr_cycle_count_t when, void *nothing)
{
    (void)of, (void)nothing;
    if (in_first == in_end)
        return 0;
    if (is_full)
        return when + BYTE_CYCLES; /* simavr takes bytes a little slower than the line brings them */
    avr_raise_irq(line_in, waiting[in_first++ % MOST]);
    return when + BYTE_CYCLES;
}

/* An input that nothing is connected to: the lowest bits of what is read are anything. */
static void open_input(avr_irq_t *irq, uint32_t value, void *nothing)
{
    (void)irq, (void)value, (void)nothing;
    noise = noise * 6364136223846793005u + 1442695040888963407u;
    avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC5), 1000 + (uint32_t)(noise >> 58) * 5);
}

/* From an interrupt's flag to its routine: the longest, how often, and the cycle of the newest flag. */
static struct latency {
    uint32_t longest, count;
    uint64_t flag;
} latencies[INTERRUPTS];

static void flagged(avr_irq_t *irq, uint32_t value, void *which)
{
    (void)irq;
    if (value)
        latencies[(long)which].flag = avr->cycle;
}

static void entered(avr_irq_t *irq, uint32_t value, void *which)
{
    struct latency *of = &latencies[(long)which];
    (void)irq;
    if (!value)
        return;
    of->count++;
    if (avr->cycle - of->flag > of->longest)
        of->longest = (uint32_t)(avr->cycle - of->flag);
}

static void watch_interrupts(void)
{
    for (long number = 1; number < INTERRUPTS; number++) {
        avr_irq_t *irq = avr_get_interrupt_irq(avr, (uint8_t)number);
        if (irq == NULL)
            continue;
        avr_irq_register_notify(irq + AVR_INT_IRQ_PENDING, flagged, (void *)number);
        avr_irq_register_notify(irq + AVR_INT_IRQ_RUNNING, entered, (void *)number);
    }
}

static void no_sleep(avr_t *of, avr_cycle_count_t cycles)
{
    (void)of, (void)cycles; /* virtual time waits for nobody */
}

/* Interrupts INT0 and INT1 are not used, and stand on "low level" after a reset: simavr would look at the level of
 * their pins, which are our bus, in every cycle of a sleep. */
static void no_level_interrupts(void)
{
    avr->data[EICRA] = 0x0F;
}

static void paint(void)
{
    memset(avr->data + 0x100, PAINT, (size_t)(avr->ramend + 1 - 0x100));
}

static void power_on(const char *path)
{
    uint32_t flags = 0;
    if (elf_read_firmware(path, &image) != 0)
        exit(2);
    avr = avr_make_mcu_by_name("atmega328p");
    avr_init(avr);
    avr->frequency = 16000000;
    avr->log = LOG_ERROR;
    avr_load_firmware(avr, &image);
    avr->frequency = 16000000;
    avr->vcc = avr->avcc = avr->aref = 5000;
    avr->sleep = no_sleep;
    avr->run_cycle_limit = AT_ONCE;
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    line_in = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), byte_out, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), flow, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), flow, &is_full);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_OUT_TRIGGER), open_input, NULL);
    model_boot(set_pin, note);
    for (long port = 0; port < 3; port++)
        watch_port(port);
    watch_interrupts();
    paint();
    no_level_interrupts();
}

/* --- requests --------------------------------------------------------------------------------------- */

static void answer(const void *data, uint32_t size)
{
    fwrite(&size, 4, 1, replies);
    fwrite(data, 1, size, replies);
    fflush(replies);
}

static void reset(bool power)
{
    avr_cycle_count_t cycle = avr->cycle;
    avr_reset(avr);
    avr->cycle = cycle;
    if (power)
        paint();
    no_level_interrupts();
    in_first = in_end;
    is_full = fram_is_cut = false;
    fram_writes_left = 0;
}

static void run(const uint8_t *request)
{
    uint64_t until;
    memcpy(&until, request, 8);
    int state = cpu_Running;
    if (until > avr->cycle)
        avr_cycle_timer_register(avr, until - avr->cycle, look_up, NULL); /* so that no sleep goes past it */
    while (avr->cycle < until && !(request[8] && frame_left)) {
        avr->run(avr);
        state = avr->state;
        if (fram_is_cut)
            reset(power_goes);
        if (state == cpu_Done || state == cpu_Crashed)
            break;
    }
    frame_left = false;
    uint8_t alive = state != cpu_Done && state != cpu_Crashed;
    uint64_t cycle = avr->cycle;
    uint32_t size = 8 + 1 + 4 + out_size + 4 + change_count * (uint32_t)sizeof *changes;
    fwrite(&size, 4, 1, replies);
    fwrite(&cycle, 8, 1, replies);
    fwrite(&alive, 1, 1, replies);
    fwrite(&out_size, 4, 1, replies);
    fwrite(out, 1, out_size, replies);
    fwrite(&change_count, 4, 1, replies);
    fwrite(changes, sizeof *changes, change_count, replies);
    fflush(replies);
    out_size = change_count = 0;
}

static void bytes_in(const uint8_t *bytes, uint32_t size)
{
    bool idle = in_first == in_end;
    for (uint32_t i = 0; i < size; i++)
        waiting[in_end++ % MOST] = bytes[i];
    if (idle && size)
        avr_cycle_timer_register(avr, BYTE_CYCLES, byte_in, NULL);
}

static void connect_load(const uint8_t *request)
{
    double values[3];
    int32_t more[3];
    memcpy(values, request + 1, sizeof values);
    memcpy(more, request + 1 + sizeof values, sizeof more);
    circuit_connect(request[0], (struct load){values[0], values[1], values[2], more[0], more[1], more[2]});
}

static void break_dac(const uint8_t *request)
{
    double values[2];
    memcpy(values, request + 1, sizeof values);
    model_break_dac(request[0], values[0], values[1]);
}

static void break_output(const uint8_t *request)
{
    double values[3];
    memcpy(values, request + 1, sizeof values);
    model_break_output(request[0], values[0], values[1], values[2], avr->cycle);
}

/* At the end of the flash stands `rjmp .-2`, which no image reaches by itself. */
static void hang(void)
{
    uint32_t end = avr->flashend - 1;
    avr->flash[end] = 0xFF;
    avr->flash[end + 1] = 0xCF;
    avr->pc = end;
    avr->sreg[S_I] = 0;
    avr->state = cpu_Running; /* it may have slept */
}

static uint16_t untouched(uint16_t from)
{
    uint16_t count = 0;
    while (from + count <= avr->ramend && avr->data[from + count] == PAINT)
        count++;
    return count;
}

static uint8_t flipped(const uint8_t *request)
{
    uint16_t address;
    memcpy(&address, request, 2);
    return address <= avr->ramend ? avr->data[address] ^= request[2] : 0;
}

static void serve(char kind, const uint8_t *request, uint32_t size)
{
    uint16_t word = 0;
    if (size >= 2)
        memcpy(&word, request, 2);
    switch (kind) {
    case 'r': run(request); return;
    case 'i': bytes_in(request, size); break;
    case 'l': connect_load(request); break;
    case 'd': break_dac(request); break;
    case 'a': break_output(request); break;
    case 'x': reset(request[0]); break;
    case 'm': answer(fram, sizeof fram); return;
    case 'M': memcpy(fram, request, size < sizeof fram ? size : sizeof fram); break;
    case 'w': memcpy(&fram_writes_left, request, 4); power_goes = request[4]; break;
    case 'q': answer(latencies, sizeof latencies); memset(latencies, 0, sizeof latencies); return;
    case 's': word = untouched(word); answer(&word, 2); return;
    case 't': answer(&adc_hurried, sizeof adc_hurried); return;
    case 'f': { uint8_t byte = flipped(request); answer(&byte, 1); return; }
    case 'h': hang(); break;
    default: break;
    }
    answer("", 0);
}

int main(int count, char **arguments)
{
    static uint8_t request[MOST];
    char kind;
    uint32_t size;
    if (count != 2) {
        fprintf(stderr, "emulator IMAGE.elf\n");
        return 2;
    }
    replies = fdopen(dup(STDOUT_FILENO), "w");
    if (replies == NULL || freopen("/dev/null", "w", stdout) == NULL)
        return 2;
    power_on(arguments[1]);
    while (fread(&kind, 1, 1, stdin) == 1 && fread(&size, 4, 1, stdin) == 1 && size <= MOST &&
           fread(request, 1, size, stdin) == size)
        serve(kind, request, size);
    return 0;
}
