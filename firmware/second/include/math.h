/* What the board model asks of a mathematical library; JavaScript gives it. */
#ifndef MATH_H
#define MATH_H
double exp(double of);
double log(double of);
double round(double of);
double fmax(double a, double b);
double fmin(double a, double b);
#define fabs __builtin_fabs
#define isnan(of) __builtin_isnan(of)
#define NAN __builtin_nan("")
#define INFINITY __builtin_inf()
#endif
