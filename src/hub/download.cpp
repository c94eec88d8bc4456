#include "hub/download.h"

#include <algorithm>
#include <thread>

#include "hub/digest.h"
#include "hub/http.h"
#include "hub/partial_file.h"

namespace chorus::hub {
namespace {

// A retry that got this much further than any attempt before counts as progress: the count of
// retries begins anew. It only ever grows, so the number of attempts is bounded by the file's size.
constexpr std::uint64_t kProgressBytes = 1'000'000;

constexpr long kOk = 200;
constexpr long kPartialContent = 206;
constexpr long kRangeNotSatisfiable = 416;

bool is_strong(const std::string& etag) { return !etag.empty() && etag.front() == '"'; }

// The status is of a kind that another attempt may not meet.
bool status_may_pass(long status) {
  return status == 408 || status == kRangeNotSatisfiable || status == 429 || status >= 500;
}

std::string bytes_text(std::uint64_t count) { return std::to_string(count) + " bytes"; }

// The work of one call of download().
class Fetcher {
 public:
  Fetcher(const Download& download, const Options& options, PartialFile file)
      : download_(download), options_(options), file_(std::move(file)), furthest_(file_.size()) {}

  Result<void> run() {
    pieced_ = file_.size() > 0;
    for (bool may_start_anew = true;; may_start_anew = false) {
      if (!file_.is_complete()) {
        CHORUS_TRY(fetch_all());
      }
      Result<void> checked = check();
      if (checked) return file_.publish();
      CHORUS_TRY(file_.restart({}));
      // What was put together from several transfers may be wrong only because of that.
      if (!pieced_ || !may_start_anew) return checked;
    }
  }

 private:
  // Attempts until the whole file is there.
  Result<void> fetch_all() {
    auto delay = options_.retry_delay;
    for (int left = options_.retries;; --left) {
      HttpOutcome outcome = attempt();
      if (outcome.refused && !restart_wanted_) return *outcome.refused;
      if (is_good(outcome)) return ok();
      if (file_.size() >= furthest_ + kProgressBytes) {
        left = options_.retries;
        delay = options_.retry_delay;
      }
      furthest_ = std::max(furthest_, file_.size());
      reached_ = reached_ || outcome.response.status != 0;
      // A server that never answered is most often a network that is not there: say so soon.
      if (!reached_) left = std::min(left, 1);
      if (left <= 0 || !may_retry(outcome)) return failure(outcome);
      if (restart_wanted_ || outcome.response.status == kRangeNotSatisfiable) {
        CHORUS_TRY(file_.restart({}));
      }
      auto asked = std::chrono::seconds(std::min(outcome.response.retry_after, 60L));
      std::this_thread::sleep_for(std::max<std::chrono::milliseconds>(delay, asked));
      delay *= 2;
    }
  }

  HttpOutcome attempt() {
    begun_ = false;
    restart_wanted_ = false;
    request_ = HttpRequest{};
    request_.url = download_.url;
    request_.token = options_.token;
    request_.connect_timeout = options_.connect_timeout;
    request_.stall_timeout = options_.stall_timeout;
    // Without a name for the content, nobody could tell whether a rest belongs to it.
    if (!file_.origin().etag.empty()) {
      request_.range_begin = file_.size();
      request_.if_range = file_.origin().validator;
    }
    return http_get(request_, [this](const HttpResponse& response, std::string_view piece) {
      return take(response, piece);
    });
  }

  // One piece of a body. That of an error page is dropped: the status tells.
  Result<void> take(const HttpResponse& response, std::string_view piece) {
    if (response.status != kOk && response.status != kPartialContent) return ok();
    if (!begun_) {
      CHORUS_TRY(begin(response));
      begun_ = true;
    }
    std::uint64_t limit = file_.origin().size.value_or(download_.max_bytes);
    if (piece.size() > limit - file_.size()) {
      return corrupt("sends more than the expected " + bytes_text(limit));
    }
    CHORUS_TRY(file_.append(piece));
    if (options_.progress) {
      options_.progress(download_.name, file_.size(), file_.origin().size.value_or(0));
    }
    return ok();
  }

  // The head of a good response: is it the whole file, the rest that was asked for, or neither?
  Result<void> begin(const HttpResponse& response) {
    CHORUS_TRY(Origin origin, origin_of(response));
    if (response.status == kPartialContent) {
      bool same_content =
          origin.etag.empty() ? !request_.if_range.empty() : origin.etag == file_.origin().etag;
      bool same_size = !origin.size || origin.size == file_.origin().size;
      restart_wanted_ = request_.range_begin == 0 || response.range_begin != file_.size() ||
                        !same_content || !same_size;
      pieced_ = true;
      if (restart_wanted_) return corrupt("the answers to Range do not fit together");
      return ok();
    }
    pieced_ = false;
    return file_.restart(std::move(origin));
  }

  Result<Origin> origin_of(const HttpResponse& response) const {
    Origin origin;
    origin.etag = response.linked_etag.empty() ? response.etag : response.linked_etag;
    if (is_strong(response.etag)) origin.validator = response.etag;
    origin.size =
        response.status == kPartialContent ? response.range_total : response.content_length;
    if (response.linked_size && origin.size && origin.size != response.linked_size) {
      return corrupt("states " + bytes_text(*response.linked_size) + " and sends " +
                     bytes_text(*origin.size));
    }
    if (!origin.size) origin.size = response.linked_size;
    if (origin.size && *origin.size > download_.max_bytes) {
      return corrupt("states " + bytes_text(*origin.size) + ", expected at most " +
                     bytes_text(download_.max_bytes));
    }
    return origin;
  }

  // Whether the file is what the server stated.
  Result<void> check() const {
    const Origin& origin = file_.origin();
    if (origin.size && file_.size() != *origin.size) {
      return corrupt("sent " + bytes_text(file_.size()) + ", expected " + bytes_text(*origin.size));
    }
    StatedDigest stated = stated_digest(origin.etag);
    if (stated.kind == DigestKind::kNone) {
      if (origin.size) return ok();
      return corrupt("the server states neither length nor hash");
    }
    CHORUS_TRY(std::string found, file_digest(file_.partial_path(), stated.kind));
    if (found == stated.hex) return ok();
    return corrupt(std::string(digest_name(stated.kind)) + " is " + found + ", expected " +
                   stated.hex);
  }

  bool is_good(const HttpOutcome& outcome) const {
    long status = outcome.response.status;
    return !outcome.refused && outcome.failure.empty() &&
           (status == kOk || status == kPartialContent);
  }

  bool may_retry(const HttpOutcome& outcome) const {
    if (restart_wanted_) return true;
    return outcome.failure.empty() ? status_may_pass(outcome.response.status) : outcome.may_pass;
  }

  Error corrupt(const std::string& what) const {
    return {ErrorCode::kCorrupt, download_.url + ": " + what};
  }

  Error failure(const HttpOutcome& outcome) const {
    const HttpResponse& response = outcome.response;
    if (outcome.refused) return *outcome.refused;
    if (response.status == kRangeNotSatisfiable && response.range_total && file_.origin().size) {
      return corrupt("the server stated " + bytes_text(*file_.origin().size) + " and has " +
                     bytes_text(*response.range_total));
    }
    if (!outcome.failure.empty()) {
      std::string state = file_.size() == 0 ? "" : "; kept " + bytes_text(file_.size());
      if (file_.size() != 0 && file_.origin().size) {
        state += ", expected " + bytes_text(*file_.origin().size);
      }
      return {ErrorCode::kNetwork, download_.url + ": " + outcome.failure + state};
    }
    std::string message = download_.url + ": status " + std::to_string(response.status);
    if (!response.error_message.empty()) message += " (" + response.error_message + ")";
    if (response.status == 401 || response.status == 403) {
      message += "; there is no such model, or it needs a token in HF_TOKEN";
    }
    return {response.status == 404 ? ErrorCode::kNotFound : ErrorCode::kNetwork, message};
  }

  const Download& download_;
  const Options& options_;
  PartialFile file_;
  HttpRequest request_;
  std::uint64_t furthest_;       // the most bytes that any attempt has reached
  bool pieced_ = false;          // the bytes came with several transfers
  bool reached_ = false;         // the server has answered at least once
  bool begun_ = false;           // this attempt's response has been looked at
  bool restart_wanted_ = false;  // what the server sent does not go on from what is here
};

}  // namespace

Result<void> download(const Download& download, const Options& options) {
  CHORUS_TRY(PartialFile file, PartialFile::open(download.path));
  return Fetcher(download, options, std::move(file)).run();
}

}  // namespace chorus::hub
