// Writes small safetensors files, right ones and ones with a single thing wrong, and the tensors of
// a tiny GPT-2 in Hugging Face's layout.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace chorus::test {

struct FileTensor {
  std::string dtype;  // as the format names it: "F32"
  std::vector<std::int64_t> shape;
  std::string bytes;
};

using FileTensors = std::map<std::string, FileTensor>;

// The length in eight bytes, the header, the data.
inline std::string safetensors_file(const std::string& header, const std::string& data = "") {
  std::string length;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    length += static_cast<char>(std::uint64_t{header.size()} >> shift & 0xff);
  }
  return length + header + data;
}

// `metadata` is the JSON of __metadata__; without it there is none.
inline std::string safetensors_file(const FileTensors& tensors, const std::string& metadata = "") {
  std::vector<std::string> fields;
  std::string data;
  if (!metadata.empty()) fields.push_back("\"__metadata__\":" + metadata);
  for (const auto& [name, tensor] : tensors) {
    fields.push_back(fmt::format(R"("{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                 name, tensor.dtype, fmt::join(tensor.shape, ","), data.size(),
                                 data.size() + tensor.bytes.size()));
    data += tensor.bytes;
  }
  return safetensors_file(fmt::format("{{{}}}", fmt::join(fields, ",")), data);
}

// f32 values first, first + 1, ...
inline FileTensor counting(std::vector<std::int64_t> shape, float first) {
  std::int64_t count = 1;
  for (std::int64_t size : shape) count *= size;
  FileTensor tensor{"F32", std::move(shape), ""};
  for (std::int64_t i = 0; i < count; ++i) {
    float value = first + static_cast<float>(i);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    tensor.bytes.append(bytes, sizeof value);
  }
  return tensor;
}

// V 6, T 4, C 4, NH 2, L 2, F 16. The first value of a tensor is 1000 times its place in the list
// of names, so that no two tensors are alike.
inline FileTensors tiny_gpt2() {
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> shapes = {
      {"wte.weight", {6, 4}}, {"wpe.weight", {4, 4}}, {"ln_f.weight", {4}}, {"ln_f.bias", {4}}};
  for (const char* layer : {"h.0.", "h.1."}) {
    std::string prefix = layer;
    for (const char* norm : {"ln_1", "ln_2"}) {
      shapes.push_back({prefix + norm + ".weight", {4}});
      shapes.push_back({prefix + norm + ".bias", {4}});
    }
    shapes.push_back({prefix + "attn.c_attn.weight", {4, 12}});
    shapes.push_back({prefix + "attn.c_attn.bias", {12}});
    shapes.push_back({prefix + "attn.c_proj.weight", {4, 4}});
    shapes.push_back({prefix + "attn.c_proj.bias", {4}});
    shapes.push_back({prefix + "mlp.c_fc.weight", {4, 16}});
    shapes.push_back({prefix + "mlp.c_fc.bias", {16}});
    shapes.push_back({prefix + "mlp.c_proj.weight", {16, 4}});
    shapes.push_back({prefix + "mlp.c_proj.bias", {4}});
  }
  FileTensors tensors;
  float first = 0;
  for (auto& [name, shape] : shapes) tensors.emplace(name, counting(shape, first += 1000));
  return tensors;
}

inline const char* tiny_config() {
  return R"({"model_type": "gpt2", "n_positions": 4, "vocab_size": 6, "n_layer": 2, "n_head": 2,
             "n_embd": 4, "n_inner": null, "activation_function": "gelu_new",
             "layer_norm_epsilon": 1e-05, "task_specific_params": {"any": {"depth": [1]}}})";
}

}  // namespace chorus::test
