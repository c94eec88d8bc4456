#include "hub/hub.h"

#include <filesystem>
#include <string_view>
#include <system_error>

#include "hub/download.h"
#include "hub/file_lock.h"
#include "hub/names.h"
#include "hub/settings.h"
#include "hub/shards.h"

namespace chorus::hub {
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::string_view kTokenizer = "tokenizer.json";
constexpr std::string_view kVocabulary = "vocab.json";  // and merges.txt say what it says
constexpr std::string_view kMerges = "merges.txt";
constexpr std::string_view kCompanions[] = {kTokenizer,
                                            kVocabulary,
                                            kMerges,
                                            "added_tokens.json",
                                            "special_tokens_map.json",
                                            "tokenizer_config.json",
                                            "generation_config.json"};
constexpr std::uint64_t kMaxJsonBytes = 64'000'000;
constexpr std::uint64_t kMaxWeightBytes = 1'000'000'000'000;

// One model in its folder of the cache.
class CachedModel {
 public:
  CachedModel(Source source, const Options& options)
      : source_(std::move(source)),
        options_(options),
        folder_(options.cache_dir + "/models/" + source_.cache_folder()) {}

  const std::string& folder() const { return folder_; }

  // What fetch() answers.
  std::string path() const { return source_.file.empty() ? folder_ : path_of(source_.file); }

  bool is_complete() const {
    if (!source_.file.empty()) return has(source_.file);
    if (!has(kConfig)) return false;
    return has(kWeights) || has_all_shards();
  }

  // Fetches what is missing. The caller holds the lock.
  Result<void> fetch() {
    if (!source_.file.empty()) return fetch_file(source_.file, kMaxWeightBytes);
    CHORUS_TRY(fetch_file(kConfig, kMaxJsonBytes));
    CHORUS_TRY(fetch_companions());
    Result<void> single = fetch_file(kWeights, kMaxWeightBytes);
    if (single || single.assume_error().code != ErrorCode::kNotFound) return single;
    return fetch_shards();
  }

 private:
  std::string path_of(const std::string& file) const { return folder_ + "/" + file; }

  bool has(const std::string& file) const {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path_of(file), ignored);
  }

  bool has_all_shards() const {
    if (!has(kIndex)) return false;
    Result<std::vector<std::string>> shards = shards_of_index(path_of(kIndex));
    if (!shards) return false;
    for (const std::string& shard : shards.assume_value()) {
      if (!has(shard)) return false;
    }
    return true;
  }

  // What a repository may have beside its weights: the tokenizer, and how texts end. Before the
  // weights, so that a folder with these has what there is.
  Result<void> fetch_companions() {
    for (std::string_view name : kCompanions) {
      std::string file(name);
      bool is_spared = has(std::string(kTokenizer)) && (file == kVocabulary || file == kMerges);
      if (is_spared) continue;
      Result<void> fetched = fetch_file(file, kMaxJsonBytes);
      if (!fetched && fetched.assume_error().code != ErrorCode::kNotFound) return fetched;
    }
    return ok();
  }

  Result<void> fetch_shards() {
    Result<void> index = fetch_file(kIndex, kMaxJsonBytes);
    if (!index && index.assume_error().code == ErrorCode::kNotFound) {
      return Error{ErrorCode::kNotFound, source_.url(options_.endpoint, kWeights) +
                                             ": status 404, and no " + kIndex +
                                             " either: the repository has no safetensors"};
    }
    CHORUS_TRY(std::move(index));
    Result<std::vector<std::string>> shards = shards_of_index(path_of(kIndex));
    if (!shards) {
      std::error_code ignored;  // not kept: the repository may be put right
      std::filesystem::remove(path_of(kIndex), ignored);
      return shards.assume_error();
    }
    for (const std::string& shard : shards.assume_value()) {
      CHORUS_TRY(fetch_file(shard, kMaxWeightBytes));
    }
    return ok();
  }

  Result<void> fetch_file(const std::string& file, std::uint64_t max_bytes) {
    if (has(file)) return ok();
    return download({source_.url(options_.endpoint, file), path_of(file), file, max_bytes},
                    options_);
  }

  Source source_;
  const Options& options_;
  std::string folder_;
};

}  // namespace

Result<std::string> fetch(const std::string& model, const Options& options) {
  CHORUS_TRY(Source source, parse_model_name(model));
  CHORUS_TRY(Options settings, with_environment(options));
  CachedModel cached(std::move(source), settings);
  if (cached.is_complete()) return cached.path();

  std::error_code error;
  std::filesystem::create_directories(cached.folder(), error);
  if (error) return Error{ErrorCode::kIo, cached.folder() + ": " + error.message()};
  CHORUS_TRY(FileLock lock, FileLock::acquire(cached.folder() + "/.lock"));
  if (!cached.is_complete()) {  // another process may have fetched it meanwhile
    CHORUS_TRY(cached.fetch());
  }
  return cached.path();
}

Result<std::string> find_in_cache(const std::string& model, const Options& options) {
  CHORUS_TRY(Source source, parse_model_name(model));
  CHORUS_TRY(Options settings, with_environment(options));
  CachedModel cached(std::move(source), settings);
  return cached.is_complete() ? cached.path() : std::string();
}

}  // namespace chorus::hub
