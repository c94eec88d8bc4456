// What the operating system's error numbers become. Pure.
#pragma once

#include <string>

#include "chorus/error.h"

namespace chorus {

// kNotFound for a file that is not there, else kIo: "PATH: the system's reason". `error` is an
// errno.
Error system_error(const std::string& path, int error);

}  // namespace chorus
