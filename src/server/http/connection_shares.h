// What each address has: connections, so that none takes the places of all others, and what is held
// for it. Of connections the address is their own, whatever is said in their requests (whose those are
// client_address.h tells).
//
// Thread contract: any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/mutex.h"
#include "server/http/spread_count.h"

namespace chorus::server {

// What one address has.
struct AddressShare {
  std::atomic<std::size_t> connections{0};     // that are served, or are about to be
  std::atomic<std::size_t> turned_away{0};     // that are told that they are too many
  SpreadCount idle;                            // of those served, how many have nothing to do
  std::atomic<std::int64_t> to_be_put_out{0};  // of these, for new ones of the same address
  std::atomic<std::size_t> bytes{0};           // that are held for it (byte_budget.h)
};

// For HeldBytes; null: nobody's.
inline std::shared_ptr<std::atomic<std::size_t>> bytes_of(
    const std::shared_ptr<AddressShare>& share) {
  if (share == nullptr) return nullptr;
  return {share, &share->bytes};
}

// Counts a connection as one of its address's while it lives.
class AddressPlace {
 public:
  // `share` null: it is nobody's.
  AddressPlace(std::shared_ptr<AddressShare> share, bool is_served)
      : share_(std::move(share)), is_served_(is_served) {
    if (share_ != nullptr) ++count();
  }
  AddressPlace(AddressPlace&&) = default;
  AddressPlace& operator=(AddressPlace&&) = delete;
  ~AddressPlace() {
    if (share_ != nullptr) --count();
  }

  const std::shared_ptr<AddressShare>& share() const { return share_; }

 private:
  std::atomic<std::size_t>& count() {
    return is_served_ ? share_->connections : share_->turned_away;
  }

  std::shared_ptr<AddressShare> share_;
  bool is_served_;
};

class ConnectionShares {
 public:
  // That of an address, as network_of() (client_address.h) names it.
  std::shared_ptr<AddressShare> of(const std::string& address) {
    Lock lock(mutex_);
    if (shares_.size() >= many_) {  // those that nobody has any more are forgotten
      std::erase_if(shares_, [](const auto& entry) { return entry.second.use_count() == 1; });
      many_ = std::max(kFew, 2 * shares_.size());
    }
    std::shared_ptr<AddressShare>& share = shares_[address];
    if (share == nullptr) share = std::make_shared<AddressShare>();
    return share;
  }

 private:
  static constexpr std::size_t kFew = 1024;

  Mutex mutex_;
  std::map<std::string, std::shared_ptr<AddressShare>> shares_ CHORUS_GUARDED_BY(mutex_);
  std::size_t many_ CHORUS_GUARDED_BY(mutex_) = kFew;
};

}  // namespace chorus::server
