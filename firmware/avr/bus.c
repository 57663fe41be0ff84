#include "bus.h"

#include <avr/cpufunc.h>
#include <avr/io.h>
#include <stdbool.h>

#include "pins.h"

#define HIGH(port, pin) ((port) |= (uint8_t)(1u << (pin)))
#define LOW(port, pin) ((port) &= (uint8_t)~(1u << (pin)))

#define DAC_B 0x8000u
#define DAC_GAIN_1 0x2000u
#define DAC_ON 0x1000u
#define FRAM_WRITE_ENABLE 0x06u
#define FRAM_WRITE 0x02u
#define FRAM_READ 0x03u

void bus_boot(void)
{
    PORTD |= 1u << SELECT_DAC | 1u << SELECT_FRAM;
    DDRD |= 1u << BUS_CLOCK | 1u << BUS_OUT | 1u << SELECT_DAC | 1u << SELECT_FRAM;
    PORTB |= 1u << ADC_SELECT;
    DDRB |= 1u << ADC_SELECT | 1u << ADC_CLOCK | 1u << ADC_OUT;
}

/* Mode 0: out before the rising edge, in after it. Written out, because a hundred bytes of counters go out between two
 * pulses. */
#define BIT_OUT(mask) \
    do { \
        if (byte & (mask)) \
            HIGH(PORTD, BUS_OUT); \
        else \
            LOW(PORTD, BUS_OUT); \
        HIGH(PORTD, BUS_CLOCK); \
        LOW(PORTD, BUS_CLOCK); \
    } while (0)

static void put(uint8_t byte)
{
    BIT_OUT(0x80u);
    BIT_OUT(0x40u);
    BIT_OUT(0x20u);
    BIT_OUT(0x10u);
    BIT_OUT(0x08u);
    BIT_OUT(0x04u);
    BIT_OUT(0x02u);
    BIT_OUT(0x01u);
}

static uint8_t taken(void)
{
    uint8_t byte = 0;
    for (uint8_t bit = 8; bit; bit--) {
        HIGH(PORTD, BUS_CLOCK);
        byte = (uint8_t)(byte << 1);
        if (PIND & 1u << BUS_IN)
            byte |= 1u;
        LOW(PORTD, BUS_CLOCK);
    }
    return byte;
}

static void dac_word(uint16_t word)
{
    LOW(PORTD, SELECT_DAC);
    put((uint8_t)(word >> 8));
    put((uint8_t)word);
    HIGH(PORTD, SELECT_DAC);
}

void dac_set(uint16_t first_code, uint16_t second_code)
{
    dac_word(DAC_GAIN_1 | DAC_ON | first_code);
    dac_word(DAC_B | DAC_GAIN_1 | DAC_ON | second_code);
}

static void fram_begin(uint8_t order, uint16_t address)
{
    LOW(PORTD, SELECT_FRAM);
    put(order);
    put((uint8_t)(address >> 8));
    put((uint8_t)address);
}

void fram_write(uint16_t address, const uint8_t *data, uint8_t size)
{
    LOW(PORTD, SELECT_FRAM);
    put(FRAM_WRITE_ENABLE);
    HIGH(PORTD, SELECT_FRAM);
    fram_begin(FRAM_WRITE, address);
    while (size--)
        put(*data++);
    HIGH(PORTD, SELECT_FRAM);
}

void fram_read(uint16_t address, uint8_t *data, uint8_t size)
{
    fram_begin(FRAM_READ, address);
    while (size--)
        *data++ = taken();
    HIGH(PORTD, SELECT_FRAM);
}

/* The MCP3208 wants its clock high and low for 250 ns each, four cycles, and a bit is there 200 ns behind the falling edge;
 * the other parts are faster than this chip. Written out as well: four conversions have to fit into a phase of 100 us. */
#define ADC_CLOCKED() \
    do { \
        HIGH(PORTB, ADC_CLOCK); \
        _NOP(); \
        _NOP(); \
        LOW(PORTB, ADC_CLOCK); \
    } while (0)
#define ADC_CLOCKED_ALONE() \
    do { \
        _NOP(); \
        _NOP(); \
        ADC_CLOCKED(); \
    } while (0)
#define ORDER_BIT(mask) \
    do { \
        if (order & (mask)) \
            HIGH(PORTB, ADC_OUT); \
        else \
            LOW(PORTB, ADC_OUT); \
        ADC_CLOCKED(); \
    } while (0)
#define CODE_BIT(byte, mask) \
    do { \
        _NOP(); \
        _NOP(); \
        HIGH(PORTB, ADC_CLOCK); \
        if (PINB & 1u << ADC_IN) \
            (byte) |= (mask); \
        LOW(PORTB, ADC_CLOCK); \
    } while (0)

uint16_t adc_read(uint8_t input)
{
    uint8_t high = 0, low = 0, order = input; /* start, single-ended, three bits of input */
    LOW(PORTB, ADC_SELECT);
    HIGH(PORTB, ADC_OUT);
    ADC_CLOCKED();
    ADC_CLOCKED_ALONE();
    ORDER_BIT(0x04u);
    ORDER_BIT(0x02u);
    ORDER_BIT(0x01u);
    ADC_CLOCKED_ALONE(); /* the sample is taken */
    ADC_CLOCKED_ALONE(); /* a bit that is always zero */
    CODE_BIT(high, 0x08u);
    CODE_BIT(high, 0x04u);
    CODE_BIT(high, 0x02u);
    CODE_BIT(high, 0x01u);
    CODE_BIT(low, 0x80u);
    CODE_BIT(low, 0x40u);
    CODE_BIT(low, 0x20u);
    CODE_BIT(low, 0x10u);
    CODE_BIT(low, 0x08u);
    CODE_BIT(low, 0x04u);
    CODE_BIT(low, 0x02u);
    CODE_BIT(low, 0x01u);
    HIGH(PORTB, ADC_SELECT);
    return (uint16_t)((uint16_t)(high << 8) | low);
}
