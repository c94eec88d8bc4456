// Checkpoints as torch.save writes them since version 1.6: a zip with the members
//   ROOT/data.pkl   the pickle of what was saved; ROOT is any folder name, or none
//   ROOT/data/KEY   the bytes of one storage, which the pickle refers to by its key
//   ROOT/byteorder  "little" or "big" (since 2.1)
// torch.save stores them as they are; whoever packs the zip anew may deflate them.
#include <fmt/format.h>

#include <map>

#include "checkpoint/expansion.h"
#include "checkpoint/pytorch/archive.h"
#include "checkpoint/pytorch/globals.h"
#include "checkpoint/pytorch/inflate.h"
#include "checkpoint/pytorch/zip.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr std::size_t kLongestKey = 256;  // bytes; torch.save counts storages from 0
constexpr std::string_view kPickleName = "data.pkl";

// The members' data, decompressed at most once each, and in sum at most so much that the file is
// not out of proportion to it.
class Unpacker {
 public:
  explicit Unpacker(ZipArchive zip, std::uint64_t file_size)
      : zip_(std::move(zip)), file_size_(file_size) {}

  const ZipArchive& zip() const { return zip_; }

  Result<std::span<const std::byte>> data(const ZipMember& member) {
    if (!member.is_deflated()) return zip_.data(member);
    if (auto found = unpacked_.find(member.name); found != unpacked_.end()) {
      return std::span(found->second.get(), member.size);
    }
    CHORUS_TRY(auto compressed, zip_.compressed_data(member));
    std::string place = "member " + in_quotes(member.name);
    std::uint64_t sum = 0;
    if (__builtin_add_overflow(made_, member.size, &sum) || is_out_of_proportion(sum, file_size_)) {
      return Error{ErrorCode::kUnsupported,
                   fmt::format("{}: the compressed members are {} bytes and more in a file of {}; "
                               "expected at most {} times as many",
                               place, std::max(sum, member.size), file_size_, kLargestExpansion)};
    }
    CHORUS_TRY(auto buffer, in_place(inflate_raw(compressed, member.size), place));
    made_ = sum;
    std::span<const std::byte> result(buffer.get(), member.size);
    CHORUS_TRY(zip_.check_crc(member, result));
    unpacked_.emplace(member.name, std::move(buffer));
    return result;
  }

 private:
  ZipArchive zip_;
  std::uint64_t file_size_;
  std::uint64_t made_ = 0;
  std::map<std::string_view, std::shared_ptr<const std::byte[]>> unpacked_;
};

class ZipStorages : public Storages {
 public:
  ZipStorages(ZipArchive zip, std::uint64_t file_size) : unpacker_(std::move(zip), file_size) {}

  Result<std::span<const std::byte>> find(std::string_view key) override {
    std::string name = root_ + "data/" + std::string(key.substr(0, kLongestKey));
    const ZipMember* member = key.size() > kLongestKey ? nullptr : zip().find(name);
    if (member == nullptr) {
      return corrupt(fmt::format("its storage {} is not in the file", in_quotes(name)));
    }
    return unpacker_.data(*member);
  }

  Result<Pickle> open() {
    CHORUS_TRY(find_root());
    CHORUS_TRY(check_is_not_torchscript());
    CHORUS_TRY(check_byte_order());
    // The pickle's CRC is checked, as a flipped bit in it could be a plausible shape or offset. The
    // storages' are not: that would be a pass over the whole file each time it is opened.
    const ZipMember& member = *zip().find(root_ + std::string(kPickleName));
    CHORUS_TRY(auto data, unpacker_.data(member));
    CHORUS_TRY(zip().check_crc(member, data));
    return in_place(Pickle::read(data, resolve_global), printable(member.name));
  }

 private:
  const ZipArchive& zip() const { return unpacker_.zip(); }

  // The one folder with a data.pkl in it, with its slash; the archive itself may be that folder.
  Result<void> find_root() {
    const ZipMember* found = nullptr;
    for (const ZipMember& member : zip().members()) {
      std::size_t slash = member.name.rfind('/');
      std::size_t start = slash == std::string_view::npos ? 0 : slash + 1;
      if (member.name.substr(start) != kPickleName) continue;
      if (found != nullptr) {
        return corrupt(fmt::format("both {} and {} are in the zip; expected one data.pkl",
                                   printable(found->name), printable(member.name)));
      }
      found = &member;
      root_ = member.name.substr(0, start);
    }
    if (found != nullptr) return ok();
    std::string first = zip().members().empty() ? "nothing" : in_quotes(zip().members()[0].name);
    return Error{ErrorCode::kUnsupported,
                 fmt::format("a zip archive without a NAME/data.pkl: not one that torch.save wrote "
                             "(it holds {}); if a checkpoint is in it, unpack it",
                             first)};
  }

  Result<void> check_is_not_torchscript() {
    for (const ZipMember& member : zip().members()) {
      if (!member.name.starts_with(root_)) continue;
      std::string_view name = member.name.substr(root_.size());
      if (name == "constants.pkl" || name.starts_with("code/")) {
        return Error{
            ErrorCode::kUnsupported,
            fmt::format("a TorchScript archive (it holds {}); expected a checkpoint: write one "
                        "with torch.save(model.state_dict(), path)",
                        in_quotes(member.name))};
      }
    }
    return ok();
  }

  Result<void> check_byte_order() {
    const ZipMember* member = zip().find(root_ + "byteorder");
    if (member == nullptr) return ok();
    CHORUS_TRY(auto bytes, unpacker_.data(*member));
    std::string_view order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (order == "little") return ok();
    return Error{ErrorCode::kUnsupported,
                 fmt::format("{}: the byte order is {}; expected 'little': load the file with "
                             "torch.load and save it again on a little-endian machine",
                             printable(member->name), in_quotes(order))};
  }

  Unpacker unpacker_;
  std::string root_;
};

}  // namespace

Result<PytorchArchive> open_zip_archive(const Bytes& bytes) {
  CHORUS_TRY(ZipArchive zip, ZipArchive::open(bytes.data));
  auto storages = std::make_shared<ZipStorages>(std::move(zip), bytes.size());
  CHORUS_TRY(Pickle pickle, storages->open());
  return PytorchArchive{std::move(pickle), std::move(storages)};
}

}  // namespace chorus::checkpoint
