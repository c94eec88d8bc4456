// What systemd and a service tell each other (sd_notify and socket activation, by their
// documentation): a few lines of the environment and one datagram, so no library is needed.
//
// Thread contract: inherited_sockets() before other threads look at the environment; the rest from
// any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"

namespace chorus::server {

// The listening sockets that this process was started with (LISTEN_FDS), if they are meant for it
// (LISTEN_PID). The variables are removed from the environment, and the descriptors are not passed on
// to other programs. Errors: kInvalidArgument, naming the variable or the descriptor.
Result<std::vector<int>> inherited_sockets();

// Sends "READY=1" or other lines to who started this process, if that asked to be told
// (NOTIFY_SOCKET). Never fails.
void notify_service_manager(std::string_view lines);

// "RELOADING=1" with the time that systemd wants beside it. READY=1 ends it.
std::string reloading_message();

}  // namespace chorus::server
