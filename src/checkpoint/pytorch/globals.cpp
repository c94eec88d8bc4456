#include "checkpoint/pytorch/globals.h"

#include <algorithm>
#include <iterator>

namespace chorus::checkpoint {
namespace {

constexpr ElementType kElementTypes[] = {
    {"float32", "FloatStorage", 4, NumberFormat::kF32},
    {"float16", "HalfStorage", 2, NumberFormat::kF16},
    {"bfloat16", "BFloat16Storage", 2, NumberFormat::kBf16},
    {"float64", "DoubleStorage", 8, {}},
    {"uint8", "ByteStorage", 1, {}},
    {"int8", "CharStorage", 1, {}},
    {"int16", "ShortStorage", 2, {}},
    {"int32", "IntStorage", 4, {}},
    {"int64", "LongStorage", 8, {}},
    {"bool", "BoolStorage", 1, {}},
    {"complex32", nullptr, 4, {}},
    {"complex64", "ComplexFloatStorage", 8, {}},
    {"complex128", "ComplexDoubleStorage", 16, {}},
    {"quint8", "QUInt8Storage", 1, {}},
    {"qint8", "QInt8Storage", 1, {}},
    {"qint32", "QInt32Storage", 4, {}},
    {"uint16", nullptr, 2, {}},
    {"uint32", nullptr, 4, {}},
    {"uint64", nullptr, 8, {}},
    {"float8_e4m3fn", nullptr, 1, {}},
    {"float8_e5m2", nullptr, 1, {}},
};

struct NumpyName {
  std::string_view code, name;
};

constexpr NumpyName kNumpyNames[] = {
    {"f8", "float64"}, {"f4", "float32"}, {"f2", "float16"}, {"i8", "int64"}, {"i4", "int32"},
    {"i2", "int16"},   {"i1", "int8"},    {"u1", "uint8"},   {"b1", "bool"},
};

struct Name {
  std::string_view module, name;
  Global global;
};

constexpr Name kNames[] = {
    {"collections", "OrderedDict", Global::kOrderedDict},
    {"collections", "defaultdict", Global::kOrderedDict},
    {"copyreg", "_reconstructor", Global::kReconstructor},
    {"copy_reg", "_reconstructor", Global::kReconstructor},
    {"_codecs", "encode", Global::kEncode},
    {"torch", "Size", Global::kSize},
    {"torch", "UntypedStorage", Global::kUntypedStorage},
    {"torch.storage", "UntypedStorage", Global::kUntypedStorage},
    {"torch.storage", "_UntypedStorage", Global::kUntypedStorage},
    {"torch._utils", "_rebuild_tensor", Global::kRebuildTensor},
    {"torch._utils", "_rebuild_tensor_v2", Global::kRebuildTensor},
    {"torch._utils", "_rebuild_tensor_v3", Global::kRebuildTensorV3},
    {"torch._utils", "_rebuild_parameter", Global::kRebuildParameter},
    {"torch._utils", "_rebuild_parameter_with_state", Global::kRebuildParameter},
    {"torch._tensor", "_rebuild_from_type_v2", Global::kRebuildFromType},
    {"numpy", "dtype", Global::kNumpyDtype},
    {"numpy.core.multiarray", "scalar", Global::kNumpyScalar},
    {"numpy._core.multiarray", "scalar", Global::kNumpyScalar},
};

// Modules that act on the machine, with all that is in them, and functions that run code.
constexpr std::string_view kRefusedModules[] = {
    "os",        "posix",   "nt",      "subprocess", "sys",     "shutil", "socket", "runpy",
    "importlib", "ctypes",  "pty",     "commands",   "pdb",     "bdb",    "code",   "timeit",
    "pickle",    "_pickle", "marshal", "webbrowser", "pip",     "urllib", "http",   "requests",
    "popen2",    "imp",     "smtplib", "ftplib",     "tempfile"};
constexpr std::string_view kRefusedBuiltins[] = {
    "eval",  "exec",    "execfile", "compile", "open",    "file",      "__import__",
    "input", "globals", "locals",   "setattr", "delattr", "breakpoint"};

bool is_refused(std::string_view module, std::string_view name) {
  auto contains = [](const auto& list, std::string_view text) {
    return std::find(std::begin(list), std::end(list), text) != std::end(list);
  };
  if (module == "builtins" || module == "__builtin__") return contains(kRefusedBuiltins, name);
  return contains(kRefusedModules, module.substr(0, module.find('.')));
}

constexpr int number(Global global, std::size_t index = 0) {
  return static_cast<int>(global) + static_cast<int>(index);
}

std::optional<int> resolve_torch(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kElementTypes); ++i) {
    const ElementType& type = kElementTypes[i];
    if (name == type.name) return number(Global::kDtype, i);
    if (type.storage != nullptr && name == type.storage) return number(Global::kStorage, i);
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> resolve_global(std::string_view module, std::string_view name) {
  if (module == "torch") {
    if (auto found = resolve_torch(name)) return found;
  }
  for (const Name& known : kNames) {
    if (known.module == module && known.name == name) return number(known.global);
  }
  if (is_refused(module, name)) return std::nullopt;
  return number(Global::kOpaque);
}

const ElementType* element_type_of(int global) {
  int index = -1;
  if (global >= number(Global::kDtype)) {
    index = global - number(Global::kDtype);
  } else if (global >= number(Global::kStorage)) {
    index = global - number(Global::kStorage);
  }
  return index < 0 ? nullptr : &kElementTypes[index];
}

const ElementType* element_type_of_numpy(std::string_view code) {
  for (const NumpyName& known : kNumpyNames) {
    if (known.code != code) continue;
    for (const ElementType& type : kElementTypes) {
      if (known.name == type.name) return &type;
    }
  }
  return nullptr;
}

}  // namespace chorus::checkpoint
