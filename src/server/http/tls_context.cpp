#include "server/http/tls_context.h"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>
#include <utility>

namespace chorus::server {
namespace {

namespace ssl = boost::asio::ssl;

Result<std::shared_ptr<ssl::context>> read_context(const std::string& certificate,
                                                   const std::string& key) {
  auto tls = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  tls->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                       ssl::context::no_sslv3 | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1,
                   error);
  // OpenSSL would ask the terminal for an encrypted key's password.
  tls->set_password_callback([](std::size_t, ssl::context::password_purpose) { return ""; }, error);
  tls->use_certificate_chain_file(certificate, error);
  if (error) {
    return Error{ErrorCode::kIo, certificate + ": expected a PEM certificate: " + error.message()};
  }
  tls->use_private_key_file(key, ssl::context::pem, error);
  if (error) {
    return Error{
        ErrorCode::kIo,
        key + ": expected the certificate's PEM key, without a password: " + error.message()};
  }
  return tls;
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  if (::ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace

TlsContext::TlsContext(std::string certificate, std::string key)
    : certificate_(std::move(certificate)), key_(std::move(key)) {}

Result<std::unique_ptr<TlsContext>> TlsContext::read(const std::string& certificate,
                                                     const std::string& key) {
  std::unique_ptr<TlsContext> tls(new TlsContext(certificate, key));
  CHORUS_TRY(tls->read_again());
  return tls;
}

Result<void> TlsContext::read_again() {
  CHORUS_TRY(auto context, read_context(certificate_, key_));
  Lock lock(mutex_);
  context_ = std::move(context);
  return ok();
}

std::shared_ptr<ssl::context> TlsContext::current() const {
  Lock lock(mutex_);
  return context_;
}

TlsContext::Description TlsContext::describe() const {
  std::shared_ptr<ssl::context> context = current();
  const X509* certificate = ::SSL_CTX_get0_certificate(context->native_handle());
  if (certificate == nullptr) return {"none", false};
  char name[256] = {};
  ::X509_NAME_oneline(::X509_get_subject_name(certificate), name, sizeof(name));
  const ASN1_TIME* begin = ::X509_get0_notBefore(certificate);
  const ASN1_TIME* end = ::X509_get0_notAfter(certificate);
  bool is_valid = ::X509_cmp_current_time(begin) < 0 && ::X509_cmp_current_time(end) > 0;
  return {fmt::format("{}, from {} until {}", name, time_text(begin), time_text(end)), is_valid};
}

}  // namespace chorus::server
