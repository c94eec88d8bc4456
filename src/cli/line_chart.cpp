#include "cli/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace chorus::cli {
namespace {

constexpr double kWidth = 720, kHeight = 440;
constexpr double kLeft = 80, kRight = 180, kTop = 50, kBottom = 60;  // margins; names at the right
constexpr int kSteps = 5;                                            // of the vertical axis
constexpr double kNameHeight = 20;
// Told apart also by those who do not see red and green (Okabe and Ito, 2008).
constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                 "#e69f00", "#56b4e9", "#000000"};

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// Where values lie on the page.
struct Scale {
  double first, last;  // log2 of the horizontal axis's ends
  double top;          // of the vertical one

  double x(double value) const {
    double share = last > first ? (std::log2(value) - first) / (last - first) : 0.5;
    return kLeft + share * (kWidth - kLeft - kRight);
  }
  double y(double value) const {
    return kHeight - kBottom - value / top * (kHeight - kTop - kBottom);
  }
};

std::set<double> x_values(const Chart& chart) {
  std::set<double> values;
  for (const ChartLine& line : chart.lines) {
    for (auto [x, y] : line.points) values.insert(x);
  }
  return values;
}

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const std::string& attributes = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                     anchor, attributes, escaped(text));
}

std::string straight(double x1, double y1, double x2, double y2, const char* colour) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2,
      y2, colour);
}

std::string axes(const Chart& chart, const Scale& scale) {
  double right = kWidth - kRight, bottom = kHeight - kBottom;
  std::string out;
  for (int step = 0; step <= kSteps; ++step) {
    double value = scale.top * step / kSteps;
    out += straight(kLeft, scale.y(value), right, scale.y(value), step == 0 ? "#333" : "#ddd");
    out += text_at(kLeft - 8, scale.y(value) + 4, "end", fmt::format("{:.6g}", value));
  }
  for (double value : x_values(chart)) {
    out += straight(scale.x(value), bottom, scale.x(value), bottom + 5, "#333");
    out += text_at(scale.x(value), bottom + 20, "middle", fmt::format("{:.6g}", value));
  }
  out += text_at((kLeft + right) / 2, kHeight - 16, "middle", chart.x_label);
  double middle = (kTop + bottom) / 2;
  out += text_at(20, middle, "middle", chart.y_label,
                 fmt::format(" transform=\"rotate(-90 20 {:.1f})\"", middle));
  return out + text_at(kLeft, 28, "start", chart.title, " font-size=\"16\"");
}

std::string drawn(const ChartLine& line, const Scale& scale, const char* colour) {
  std::string points, dots;
  for (auto [x, y] : line.points) {
    points += fmt::format("{:.1f},{:.1f} ", scale.x(x), scale.y(y));
    dots += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"><title>{}: {:.6g}, "
        "{:.1f}</title></circle>\n",
        scale.x(x), scale.y(y), colour, escaped(line.name), x, y);
  }
  return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n",
                     points, colour) +
         dots;
}

}  // namespace

double nice_end(double largest, int steps) {
  if (!(largest > 0.0)) return steps;
  double power = std::pow(10.0, std::floor(std::log10(largest / steps)));
  for (double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power * steps >= largest) return factor * power * steps;
  }
  return 10.0 * power * steps;
}

std::string to_svg(const Chart& chart) {
  std::set<double> values = x_values(chart);
  double largest = 0.0;
  for (const ChartLine& line : chart.lines) {
    for (auto [x, y] : line.points) largest = std::max(largest, y);
  }
  Scale scale{values.empty() ? 0.0 : std::log2(*values.begin()),
              values.empty() ? 0.0 : std::log2(*values.rbegin()), nice_end(largest, kSteps)};
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#333\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n",
      kWidth, kHeight);
  out += axes(chart, scale);
  for (std::size_t i = 0; i < chart.lines.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    double y = kTop + 10 + kNameHeight * static_cast<double>(i);
    out += drawn(chart.lines[i], scale, colour);
    out += straight(kWidth - kRight + 16, y, kWidth - kRight + 36, y, colour);
    out += text_at(kWidth - kRight + 42, y + 4, "start", chart.lines[i].name);
  }
  return out + "</svg>\n";
}

}  // namespace chorus::cli
