// The natural logarithm in double precision, with the same bits on every processor. It uses only
// additions, subtractions, multiplications and divisions: a C library's log may take another path
// where fused multiply-adds exist, and a last bit of a random draw would depend on the machine.
// Pure function.
#pragma once

namespace chorus::sampling {

// log(x) for a positive, finite, normal x; the error is below 1 unit in the last place. log(1) is
// +0.
double natural_log(double x);

}  // namespace chorus::sampling
