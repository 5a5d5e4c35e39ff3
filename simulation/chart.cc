#include "simulation/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace cairn {
namespace {

constexpr double kWidth = 340, kHeight = 220, kLeft = 46, kRight = 12, kTop = 28, kBottom = 34;
constexpr int kYTicks = 4;

struct Frame {
  double x_max, y_min, y_max, y_limit;
  double X(double x) const { return kLeft + x / x_max * (kWidth - kLeft - kRight); }
  // What is no number, or infinite without a limit, is drawn at the top.
  double Y(double y) const {
    const double shown = std::min(y, y_limit) <= y_max ? std::min(y, y_limit) : y_max;
    return kTop + (y_max - shown) / (y_max - y_min) * (kHeight - kTop - kBottom);
  }
};

Frame FrameOf(const Chart& chart) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Series& series : chart.series) {
    for (const auto& [x, y] : series.points) {
      const double shown = std::min(y, chart.y_limit);
      if (!std::isfinite(shown)) continue;
      low = std::min(low, shown);
      high = std::max(high, shown);
    }
  }
  if (!(low <= high)) low = 0, high = 1;
  const double margin = std::max(0.05 * (high - low), 1e-3);
  return {std::max(chart.x_max, 1e-9), low - margin, high + margin, chart.y_limit};
}

std::string Text(double x, double y, const char* anchor, const char* css, const std::string& text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>\n", x, y, anchor, css,
                         EscapeXml(text));
}

std::string YAxis(const Frame& frame) {
  const int decimals = frame.y_max - frame.y_min < 0.5 ? 3 : 2;
  std::string out;
  for (int i = 0; i <= kYTicks; ++i) {
    const double value = frame.y_min + (frame.y_max - frame.y_min) * i / kYTicks, y = frame.Y(value);
    absl::StrAppend(&out,
                    absl::StrFormat("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", kLeft,
                                    kWidth - kRight, y, y),
                    Text(kLeft - 6, y + 3.5, "end", "tick", absl::StrFormat("%.*f", decimals, value)));
  }
  return out;
}

std::string XAxis(const Frame& frame, const Chart& chart) {
  const double rough = std::max(frame.x_max / 5, 1e-9);
  const double step = chart.whole_x ? std::max(1.0, std::ceil(rough)) : rough;
  std::string out;
  for (double x = 0; x <= frame.x_max + 1e-9; x += step) {
    absl::StrAppend(&out, Text(frame.X(x), kHeight - kBottom + 15, "middle", "tick", absl::StrFormat("%.0f", x)));
  }
  return out + Text((kLeft + kWidth - kRight) / 2, kHeight - 4, "middle", "tick", chart.x_label);
}

std::string Line(const Frame& frame, const Series& series) {
  std::string points, markers;
  for (const auto& [x, y] : series.points) {
    absl::StrAppend(&points, absl::StrFormat("%.1f,%.1f ", frame.X(x), frame.Y(y)));
    if (!series.markers) continue;
    absl::StrAppend(&markers,
                    absl::StrFormat("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"var(--series-%d)\"><title>%s: "
                                    "%.4f</title></circle>\n",
                                    frame.X(x), frame.Y(y), series.colour, EscapeXml(series.name), y));
  }
  return absl::StrFormat("<polyline points=\"%s\" class=\"line\" stroke=\"var(--series-%d)\"/>\n%s", points,
                         series.colour, markers);
}

}  // namespace

std::string EscapeXml(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string ChartSvg(const Chart& chart) {
  const Frame frame = FrameOf(chart);
  std::string out = absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", kWidth, kHeight,
                                    EscapeXml(chart.title));
  absl::StrAppend(&out, Text(kLeft, 16, "start", "title", chart.title), YAxis(frame), XAxis(frame, chart));
  for (const Series& series : chart.series) {
    if (!series.points.empty()) absl::StrAppend(&out, Line(frame, series));
  }
  return out + "</svg>\n";
}

}  // namespace cairn
