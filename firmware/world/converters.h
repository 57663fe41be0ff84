/* The converters between numbers and currents, as board and world agree on them. */
#ifndef CONVERTERS_H
#define CONVERTERS_H

/* MCP4922: 12 bits, full scale 2.56 mA: 0.625 uA a step. Output A is the first phase, B the second. */
#define DAC_STEP_NA 625u
#define DAC_CODE(ua) ((uint16_t)(((uint32_t)(ua) * 8u + 2u) / 5u))
#define DAC_MOST 4095u

/* MCP3208: inputs 0 to 3 are the ammeters, 2048 being zero and a step 1.25 uA; 4 is the source's voltage in steps of
 * 8 mV, 5 the same in steps of 0.5 mV, both with 2048 for zero; 6 is the output supply in steps of 4 mV. */
#define ADC_ZERO 2048
#define QUARTERS_A_STEP 5
#define ADC_VOLT 4u
#define ADC_VOLT_FINE 5u
#define ADC_RAIL 6u
#define HALF_MV_A_COARSE_STEP 16
#define FINE_REACH 2000 /* fine steps beyond it are on their way to the end of the range */
#define RAIL_MV_A_STEP 4u

#define TEST_OHM 1000u /* in each output, in place of the load, while the self-test runs */

#endif
