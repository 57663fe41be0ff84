/* Which pin does what: all twenty of an Arduino Uno or Nano. On a Mega 2560 the port names are the same, the board's
 * numbers are not, and the line is USART0 on other pins. */
#ifndef PINS_H
#define PINS_H

/* Port D: line on PD0 and PD1; a bus for what only the main loop talks to; the output stage's enable. */
#define BUS_CLOCK 2
#define BUS_OUT 3
#define BUS_IN 4
#define SELECT_DAC 5
#define SELECT_FRAM 6
#define OUTPUT_ENABLE 7

/* Port B: a bus of their own for the ammeters, which are read in mid-pulse; the bridge. */
#define ADC_SELECT 0
#define ADC_CLOCK 1
#define ADC_OUT 2
#define ADC_IN 3
#define FORWARD 4
#define REVERSE 5 /* both at once: the electrodes are joined through a resistor */

/* Port C: PC0 to PC3 connect channel 1 to 4 to the source. */
#define CHANNEL_PINS 0x0Fu
#define TEST 4 /* resistors in place of the loads */
#define OPEN_INPUT 5

#endif
