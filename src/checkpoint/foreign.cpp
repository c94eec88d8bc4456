#include "checkpoint/foreign.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <vector>

#include "checkpoint/little_endian.h"
#include "core/error_text.h"
#include "core/placeholder.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

using namespace std::string_view_literals;

constexpr const char* kWithTransformers =
    "load it with transformers and write it with save_pretrained(folder)";
constexpr const char* kFromTensorFlow =
    "load it with transformers (from_pretrained(folder, from_tf=True), or its "
    "convert_gpt2_original_tf_checkpoint_to_pytorch for OpenAI's files) and write it with "
    "save_pretrained(folder)";
constexpr const char* kFromFlax =
    "load it with transformers (from_pretrained(folder, from_flax=True)) and write it with "
    "save_pretrained(folder)";
constexpr const char* kUnpack = "unpack it and give the file or folder that is in it";
constexpr const char* kFromOriginal =
    "give the model that it was made from, as PyTorch or Hugging Face has it";
constexpr const char* kFromLlmC =
    "write it with llm.c's dev/eval/export_hf.py as a folder, or give "
    "the PyTorch checkpoint that it was made from";
constexpr const char* kMergeAdapter =
    "merge it into its base model (PEFT: model.merge_and_unload().save_pretrained(folder)) and "
    "give "
    "that folder";

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  const char* what;
  const char* way_out;
};

// The first that fits counts.
constexpr Magic kMagics[] = {
    {0, "GGUF"sv, "a GGUF file, llama.cpp's", kFromOriginal},
    {0, "lmgg"sv, "a GGML file, of llama.cpp before GGUF", kFromOriginal},
    {0, "fmgg"sv, "a GGML file, of llama.cpp before GGUF", kFromOriginal},
    {0, "tjgg"sv, "a GGML file, of llama.cpp before GGUF", kFromOriginal},
    {0, "algg"sv, "a LoRA adapter in llama.cpp's format", kFromOriginal},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file, TensorFlow's or Keras's weights", kFromTensorFlow},
    {0, "\xc6\xd7\x34\x01"sv, "a model file of llm.c", kFromLlmC},      // 20240326
    {0, "\x88\xd8\x34\x01"sv, "a file of tokens of llm.c", kFromLlmC},  // 20240520
    {0, "\x93NUMPY"sv, "a NumPy array", "give a checkpoint; an array alone is no model"},
    {0, "\x1f\x8b"sv, "compressed by gzip", kUnpack},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive", kUnpack},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     "compressed by xz", kUnpack},
    {0, "\x28\xb5\x2f\xfd"sv, "compressed by zstd", kUnpack},
    {0, "BZh"sv, "compressed by bzip2", kUnpack},
    {0, "Rar!\x1a\x07"sv, "a RAR archive", kUnpack},
    {257, "ustar"sv, "a tar archive", kUnpack},
    {0, "PAR1"sv, "a Parquet file: data, no model", "give a checkpoint"},
    {4, "TFL3"sv, "a TensorFlow Lite model", kFromOriginal},
    {0,
     "\x7f"
     "ELF"sv,
     "a program (ELF), no model", "give a checkpoint"},
    {0, "%PDF"sv, "a PDF document", "give a checkpoint"},
};

// At the end of TensorFlow's .index files, which are tables of LevelDB.
constexpr std::string_view kTableMagic = "\x57\xfb\x80\x8b\x24\x75\x47\xdb";

struct NamePart {
  std::string_view part;
  const char* what;
  const char* way_out;
};

// Formats without a mark of their own. Looked for at the end of a name.
constexpr NamePart kEndings[] = {
    {".index", "the index of a TensorFlow checkpoint", kFromTensorFlow},
    {".meta", "the graph of a TensorFlow checkpoint", kFromTensorFlow},
    {".pb", "a TensorFlow graph", kFromTensorFlow},
    {".msgpack", "Flax's weights", kFromFlax},
    {".onnx", "an ONNX model", kFromOriginal},
    {".onnx_data", "the weights of an ONNX model", kFromOriginal},
    {".tflite", "a TensorFlow Lite model", kFromOriginal},
};

bool is_tensorflow_data(std::string_view name) {
  std::size_t place = name.rfind(".data-");
  return place != std::string_view::npos && name.find("-of-", place) != std::string_view::npos;
}

// The first field of an ONNX file is its version, of one byte, and the second its producer's name
// or the graph.
bool looks_like_onnx(std::string_view text) {
  return text.size() > 16 && text[0] == 0x08 && text[1] > 0 && text[1] < 32 &&
         (text.substr(2, 1) == "\x12" || text.substr(2, 1) == "\x3a") &&
         text.substr(0, 256).find("pytorch") != std::string_view::npos;
}

// A map with one name or a few, of msgpack: Flax's serialization.
bool looks_like_msgpack(std::string_view text) {
  if (text.size() < 8 || (text[0] & '\xf0') != '\x80' || text[0] == '\x80') return false;
  auto size = static_cast<unsigned char>(text[1]);
  return (size & 0xe0) == 0xa0 &&
         (text.substr(2).starts_with("transformer") || text.substr(2).starts_with("params") ||
          text.substr(2).starts_with("model"));
}

// A pickle that torch.save did not write: pickle.dump, joblib, meta.pkl.
bool looks_like_pickle(std::string_view text) {
  return text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5 && text.back() == '.';
}

bool is_zeros(std::string_view text) {
  return text.find_first_not_of('\0') == std::string_view::npos;
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text.substr(0, 256), [](char c) {
    return c == '\n' || c == '\r' || c == '\t' || static_cast<unsigned char>(c) >= ' ';
  });
}

struct Verdict {
  std::string what, way_out;
};

Verdict judge(const Bytes& bytes) {
  std::string_view text = bytes.text();
  if (text.empty()) {
    return {"not a checkpoint (0 bytes)", "the file is empty; copy or download it again"};
  }
  for (const Magic& magic : kMagics) {
    if (text.size() >= magic.offset && text.substr(magic.offset).starts_with(magic.bytes)) {
      return {magic.what, magic.way_out};
    }
  }
  if (text.ends_with(kTableMagic)) {
    return {"the index of a TensorFlow checkpoint, or an old one whole", kFromTensorFlow};
  }
  if (text.starts_with("model_checkpoint_path:")) {
    return {"TensorFlow's list of checkpoints", kFromTensorFlow};
  }
  for (const NamePart& ending : kEndings) {
    if (bytes.name.ends_with(ending.part)) return {ending.what, ending.way_out};
  }
  if (is_tensorflow_data(bytes.name))
    return {"the data of a TensorFlow checkpoint", kFromTensorFlow};
  if (looks_like_onnx(text)) return {"an ONNX model", kFromOriginal};
  if (looks_like_msgpack(text)) return {"Flax's weights", kFromFlax};
  if (is_zeros(text)) {
    return {fmt::format("{} bytes, all zero", text.size()),
            "its download was not finished, or its disk is damaged: fetch it again"};
  }
  if (looks_like_pickle(text)) {
    return {"a pickle that torch.save did not write",
            "write the weights with torch.save(model.state_dict(), path)"};
  }
  if (text.starts_with('{') || text.starts_with('[')) {
    return {fmt::format("not a checkpoint ({} bytes): it looks like JSON", text.size()),
            "give the folder that it is in"};
  }
  std::string hint = is_printable(text)
                         ? "it is a text that begins with " + in_quotes(text.substr(0, 40)) + "; "
                         : "";
  return {fmt::format("not a checkpoint ({} bytes)", text.size()),
          hint + "expected a file of torch.save, a safetensors file, or a Hugging Face folder"};
}

// The names in a folder, in order; so many that a message can show.
struct Contents {
  std::vector<std::string> names;

  bool has(std::string_view name) const { return std::ranges::find(names, name) != names.end(); }

  template <class Test>
  std::vector<std::string> those(Test test) const {
    std::vector<std::string> found;
    std::ranges::copy_if(names, std::back_inserter(found), test);
    return found;
  }

  std::vector<std::string> ending_in(std::initializer_list<std::string_view> endings) const {
    return those([&](const std::string& name) {
      return std::ranges::any_of(endings, [&](auto ending) { return name.ends_with(ending); });
    });
  }

  std::vector<std::string> beginning_with(std::string_view start) const {
    return those([&](const std::string& name) { return name.starts_with(start); });
  }
};

Contents contents_of(const std::string& folder) {
  constexpr std::size_t kMostNames = 4096;
  Contents contents;
  std::error_code ignored;
  for (std::filesystem::directory_iterator item(folder, ignored), end;
       !ignored && item != end && contents.names.size() < kMostNames; item.increment(ignored)) {
    contents.names.push_back(item->path().filename());
  }
  std::ranges::sort(contents.names);
  return contents;
}

// "'a', 'b', 'c' and 4 more".
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 5;
  std::vector<std::string> quoted;
  std::ranges::transform(names, std::back_inserter(quoted), in_quotes);
  return listed(quoted, kMost);
}

std::string judge_folder(const Contents& contents) {
  if (contents.names.empty()) return "it is empty";
  if (contents.has("adapter_config.json")) {
    return fmt::format("it holds a LoRA adapter (adapter_config.json), not a model: {}",
                       kMergeAdapter);
  }
  if (auto list = contents.beginning_with("models--"); !list.empty()) {
    return fmt::format("it holds the Hugging Face cache's models {}: give the folder of one",
                       some_of(list));
  }
  if (contents.has("zero_to_fp32.py") || contents.has("latest") ||
      !contents.beginning_with("global_step").empty() ||
      !contents.beginning_with("mp_rank_").empty()) {
    return "it is a checkpoint of DeepSpeed: give its mp_rank_00_model_states.pt, or, of ZeRO 3, "
           "the file that its zero_to_fp32.py writes";
  }
  if (contents.has(".metadata") || !contents.ending_in({".distcp"}).empty()) {
    return "it is a distributed checkpoint of PyTorch: write one file of it with "
           "torch.distributed.checkpoint.format_utils.dcp_to_torch_save(folder, path)";
  }
  if (auto list = contents.those([](const std::string& name) {
        return name.find("-of-0") != std::string::npos &&
               (name.ends_with(".safetensors") || name.ends_with(".bin"));
      });
      !list.empty()) {
    return fmt::format(
        "it holds the shards {} without their index (model.safetensors.index.json or "
        "pytorch_model.bin.index.json): fetch that, too",
        some_of(list));
  }
  if (auto list = contents.ending_in({".pt", ".pth", ".bin", ".safetensors", ".ckpt"});
      !list.empty()) {
    return fmt::format("it holds {}: give the file that is meant", some_of(list));
  }
  struct Foreign {
    std::vector<std::string> names;
    const char* what;
    const char* way_out;
  };
  const Foreign kinds[] = {
      {contents.ending_in({".gguf", ".ggml"}), "llama.cpp's model", kFromOriginal},
      {contents.ending_in({".msgpack"}), "Flax's weights", kFromFlax},
      {contents.ending_in({".h5", ".keras", ".index", "saved_model.pb"}), "TensorFlow's weights",
       kFromTensorFlow},
      {contents.ending_in({".onnx"}), "an ONNX model", kFromOriginal},
      {contents.ending_in({".ot", ".mlmodel", ".mlpackage", ".tflite"}),
       "a model of another program", kWithTransformers},
      {contents.ending_in({".incomplete", ".part", ".crdownload", ".aria2", ".tmp"}),
       "a download that was not finished", "fetch it again"},
      {contents.ending_in({".tar", ".gz", ".tgz", ".zip", ".7z", ".xz", ".zst"}), "an archive",
       kUnpack},
  };
  for (const Foreign& kind : kinds) {
    if (kind.names.empty()) continue;
    return fmt::format("it holds {} ({}): {}", kind.what, some_of(kind.names), kind.way_out);
  }
  if (contents.has("tokenizer.json") || contents.has("vocab.json") || contents.has("merges.txt") ||
      contents.has("vocab.bpe")) {
    return fmt::format("it holds a tokenizer alone ({}): fetch the model's weights, too",
                       some_of(contents.names));
  }
  return fmt::format("it holds {}", some_of(contents.names));
}

}  // namespace

Error foreign_file(const Bytes& bytes) {
  if (auto message = placeholder_message(bytes.text())) {
    return {ErrorCode::kUnsupported, bytes.name + ": " + *message};
  }
  Verdict verdict = judge(bytes);
  return {ErrorCode::kUnsupported,
          fmt::format("{}: {}: {}", bytes.name, verdict.what, verdict.way_out)};
}

Error foreign_folder(const std::string& folder, const std::string& what) {
  return {
      ErrorCode::kNotFound,
      fmt::format("{}: a folder without {} (expected model.safetensors or pytorch_model.bin, or "
                  "shards with their index, beside config.json): {}",
                  folder, what, judge_folder(contents_of(folder)))};
}

}  // namespace chorus::checkpoint
