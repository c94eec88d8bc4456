#include "core/system_error.h"

#include <cerrno>
#include <cstring>

namespace chorus {

Error system_error(const std::string& path, int error) {
  ErrorCode code = error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
  return {code, path + ": " + std::strerror(error)};
}

}  // namespace chorus
