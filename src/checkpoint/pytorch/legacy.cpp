// Checkpoints as torch.save wrote them before version 1.6, and writes them without its zip format:
// one after another
//   pickle of the magic number 0x1950a86a20f9469cfc6c
//   pickle of the protocol version, 1001
//   pickle of a dict about the machine: {"little_endian": True, ...}
//   pickle of what was saved, which refers to storages as ("storage", class, key, location, number
//     of elements, None or a view of it as (key, first element, number of elements))
//   pickle of the storages' keys, a list
//   of each of them in that order: number of elements:u64, the elements
#include <fmt/format.h>

#include <unordered_map>

#include "checkpoint/little_endian.h"
#include "checkpoint/pytorch/archive.h"
#include "checkpoint/pytorch/globals.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr std::string_view kMagic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";  // LONG1
constexpr std::int64_t kProtocolVersion = 1001;
constexpr std::size_t kCountSize = 8;

// Behind the opcode of the pickle's protocol, and of a frame if the protocol has them.
std::string_view after_protocol(std::string_view text) {
  if (text.size() < 2 || text[0] != '\x80' || text[1] < 2 || text[1] > 5) return {};
  text.remove_prefix(2);
  if (text.starts_with('\x95')) text.remove_prefix(std::min<std::size_t>(text.size(), 9));
  return text;
}

class LegacyStorages : public Storages {
 public:
  Result<std::span<const std::byte>> find(std::string_view key) override {
    auto found = storages_.find(std::string(key));
    if (found != storages_.end()) return found->second;
    return corrupt("its storage " + in_quotes(key) + " is not in the file");
  }

  void add(std::string_view key, std::span<const std::byte> data) {
    storages_.emplace(std::string(key), data);
  }

 private:
  std::unordered_map<std::string, std::span<const std::byte>> storages_;
};

class LegacyReader {
 public:
  explicit LegacyReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Result<PytorchArchive> run() {
    CHORUS_TRY(next_pickle("the magic number"));
    CHORUS_TRY(check_version());
    CHORUS_TRY(check_machine());
    CHORUS_TRY(Pickle saved, next_pickle("what was saved"));
    CHORUS_TRY(Pickle keys, next_pickle("the storages' keys"));
    saved.name = "the pickle of what was saved";
    CHORUS_TRY(auto storages, read_storages(keys, element_sizes(saved)));
    return PytorchArchive{std::move(saved), std::move(storages)};
  }

 private:
  Result<Pickle> next_pickle(const char* what) {
    std::size_t start = position_;
    Result<Pickle> pickle = Pickle::read(bytes_.subspan(start), resolve_global);
    if (!pickle) {
      return std::move(pickle).assume_error().in(fmt::format("{} at byte {}", what, start));
    }
    position_ += pickle.assume_value().byte_count();
    return pickle;
  }

  Result<void> check_version() {
    CHORUS_TRY(Pickle pickle, next_pickle("the protocol version"));
    const PickleValue& version = pickle[pickle.root()];
    if (version.kind == PickleKind::kInt && version.integer == kProtocolVersion) return ok();
    return Error{ErrorCode::kUnsupported,
                 fmt::format("its legacy format is not of version {}", kProtocolVersion)};
  }

  Result<void> check_machine() {
    CHORUS_TRY(Pickle pickle, next_pickle("the machine's properties"));
    if (pickle[pickle.root()].kind != PickleKind::kDict) {
      return corrupt("the machine's properties are not a dict");
    }
    PickleRef little = pickle.find(pickle.root(), "little_endian");
    if (little == kNoPickleRef || pickle[little].kind != PickleKind::kBool ||
        pickle[little].integer != 0) {
      return ok();
    }
    return Error{ErrorCode::kUnsupported,
                 "written on a big-endian machine; load it with torch.load and save it again on a "
                 "little-endian one"};
  }

  // Bytes of an element of each storage that the pickle refers to, by key.
  static std::unordered_map<std::string_view, std::size_t> element_sizes(const Pickle& pickle) {
    std::unordered_map<std::string_view, std::size_t> sizes;
    for (PickleRef ref = 0; ref < pickle.value_count(); ++ref) {
      if (pickle[ref].kind != PickleKind::kPersistent) continue;
      const auto& id = pickle[pickle[ref].arguments].items;
      if (id.size() < 5 || pickle[id[0]].text != "storage" ||
          pickle[id[1]].kind != PickleKind::kGlobal || pickle[id[2]].kind != PickleKind::kString) {
        continue;
      }
      const ElementType* type = element_type_of(static_cast<int>(pickle[id[1]].integer));
      sizes.emplace(pickle[id[2]].text, type == nullptr ? 1 : type->size);
    }
    return sizes;
  }

  Result<std::shared_ptr<Storages>> read_storages(
      const Pickle& keys, const std::unordered_map<std::string_view, std::size_t>& sizes) {
    auto storages = std::make_shared<LegacyStorages>();
    if (keys[keys.root()].kind != PickleKind::kList) return corrupt("the keys are not a list");
    for (PickleRef ref : keys[keys.root()].items) {
      auto size = sizes.find(keys[ref].text);
      if (keys[ref].kind != PickleKind::kString || size == sizes.end()) {
        return corrupt(fmt::format("byte {}: a storage that nothing refers to", position_));
      }
      CHORUS_TRY(auto data,
                 in_place(next_storage(size->second), "storage " + in_quotes(size->first)));
      storages->add(size->first, data);
    }
    return std::shared_ptr<Storages>(std::move(storages));
  }

  Result<std::span<const std::byte>> next_storage(std::size_t element_size) {
    std::size_t left = bytes_.size() - position_;
    if (left < kCountSize) {
      return corrupt(fmt::format("missing at byte {}: the file is truncated", position_));
    }
    std::uint64_t count = load_u64(&bytes_[position_]);
    left -= kCountSize;
    if (count > left / element_size) {
      return corrupt(
          fmt::format("{} elements of {} bytes at byte {}, where {} bytes are left: the "
                      "file is truncated",
                      count, element_size, position_, left));
    }
    auto data = bytes_.subspan(position_ + kCountSize, count * element_size);
    position_ += kCountSize + data.size();
    return data;
  }

  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

}  // namespace

bool looks_like_legacy_archive(const Bytes& bytes) {
  return after_protocol(bytes.text()).starts_with(kMagic);
}

Result<PytorchArchive> open_legacy_archive(const Bytes& bytes) {
  return LegacyReader(bytes.data).run();
}

}  // namespace chorus::checkpoint
