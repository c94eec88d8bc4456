#include "core/placeholder.h"

#include <fmt/format.h>

#include <algorithm>

namespace chorus {
namespace {

// The value of "NAME VALUE" in a line of its own, if it is a number.
std::string number_after(std::string_view text, std::string_view name) {
  std::size_t start = text.find(name);
  if (start == std::string_view::npos) return {};
  std::string_view rest = text.substr(start + name.size());
  std::size_t end = rest.find_first_not_of("0123456789");
  return std::string(rest.substr(0, std::min<std::size_t>(end, 20)));
}

bool is_web_page(std::string_view bytes) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  constexpr std::size_t kLongestLead = 256;
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  std::string lead(bytes.substr(0, kLongestLead));
  std::ranges::transform(lead, lead.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  lead.erase(0, std::min(lead.find_first_not_of(" \t\r\n"), lead.size()));
  constexpr std::string_view kOpenings[] = {"<!doctype", "<html", "<head",
                                            "<body",     "<?xml", "<!--"};
  return std::ranges::any_of(kOpenings,
                             [&](std::string_view opening) { return lead.starts_with(opening); });
}

}  // namespace

std::optional<std::string> placeholder_message(std::string_view bytes) {
  constexpr std::size_t kLongestPointer = 1024;  // Git LFS's own limit
  if (bytes.starts_with("version https://git-lfs.github.com/spec/") ||
      bytes.starts_with("version https://hawser.github.com/spec/")) {
    std::string size = number_after(bytes.substr(0, kLongestPointer), "\nsize ");
    return fmt::format(
        "is a Git LFS pointer of {} bytes, not the file itself{}: fetch it with `git lfs pull` in "
        "its folder (`git lfs install` first)",
        bytes.size(), size.empty() ? "" : fmt::format(", which has {}", size));
  }
  if (is_web_page(bytes)) {
    return "is a web page or an error message in XML, not the file itself: download it again, from "
           "the address that gives the file (on the Hugging Face hub /resolve/, not /blob/)";
  }
  return std::nullopt;
}

}  // namespace chorus
