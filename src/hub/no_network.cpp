// fetch() of a build without the network (CHORUS_HUB=OFF), such as a Python wheel, which carries neither
// libcurl nor OpenSSL: names are known, and refused with what to do. Takes the place of hub.cpp.

#include "hub/hub.h"
#include "hub/names.h"

namespace chorus::hub {

Result<std::string> fetch(const std::string& model, const Options&) {
  CHORUS_TRY(Source source, parse_model_name(model));
  std::string repository = source.owner + "/" + source.name;
  return Error{
      ErrorCode::kUnsupported,
      "model name \"" + model +
          "\": this build of Chorus fetches nothing; expected the path of a file or folder "
          "of " +
          repository};
}

}  // namespace chorus::hub
