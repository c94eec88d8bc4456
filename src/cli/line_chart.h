// A chart of lines as an SVG document, for anyone to look at in a browser. It scales both axes to
// what it is given; the horizontal one doubles with each step, the vertical one begins at 0. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace chorus::cli {

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x > 0, y >= 0
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<ChartLine> lines;
};

std::string to_svg(const Chart& chart);

// The end of a vertical axis for values up to `largest`: 1, 2, 2.5 or 5 times a power of ten times
// the number of steps, at least `largest`.
double nice_end(double largest, int steps);

}  // namespace chorus::cli
