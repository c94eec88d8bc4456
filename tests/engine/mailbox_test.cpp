#include "engine/mailbox.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace chorus::engine {
namespace {

// Nobody waits so long if what is awaited comes.
constexpr std::chrono::hours kForever{1};

std::shared_ptr<RequestState> one_request() {
  Request request;
  request.prompt = {1};
  auto state = std::make_shared<RequestState>(std::move(request), 8);
  state->stream = std::make_shared<Stream::State>(
      EventCallback(), [] {}, 1);
  return state;
}

void post_one(Mailbox& mailbox) {
  std::vector<std::shared_ptr<RequestState>> requests = {one_request()};
  EXPECT_TRUE(mailbox.post(requests));
}

TEST(Mailbox, RequestsThatAreThereAreNotAwaited) {
  Mailbox mailbox(4);
  post_one(mailbox);
  post_one(mailbox);
  EXPECT_EQ(mailbox.posted(), 2u);
  mailbox.await(2, kForever);
  EXPECT_EQ(mailbox.take(true).requests.size(), 2u);
  EXPECT_EQ(mailbox.posted(), 0u);
}

TEST(Mailbox, ReturnsWhenTheLastOfTheAwaitedRequestsIsPosted) {
  Mailbox mailbox(4);
  std::thread client([&] {
    for (int i = 0; i < 3; ++i) post_one(mailbox);
  });
  mailbox.await(3, kForever);
  EXPECT_EQ(mailbox.posted(), 3u);
  client.join();
}

TEST(Mailbox, ReturnsWithoutTheAwaitedRequestsWhenTheTimeIsOverATaskComesOrItIsToStop) {
  Mailbox mailbox(4);
  post_one(mailbox);
  mailbox.await(2, std::chrono::milliseconds(1));
  EXPECT_EQ(mailbox.posted(), 1u);
  std::thread other([&] { mailbox.post_task([] {}); });
  mailbox.await(2, kForever);
  EXPECT_EQ(mailbox.take(true).tasks.size(), 1u);
  other.join();
  std::thread last([&] { mailbox.stop(); });
  mailbox.await(2, kForever);
  EXPECT_TRUE(mailbox.take(true).stop);
  last.join();
}

// The engine's thread looks at what is cancelled when it takes what has come.
TEST(Mailbox, WhatIsCancelledWhileRequestsAreAwaitedIsNotForgotten) {
  Mailbox mailbox(4);
  std::thread client([&] {
    mailbox.wake();
    post_one(mailbox);
  });
  mailbox.await(1, kForever);
  client.join();
  EXPECT_EQ(mailbox.take(true).requests.size(), 1u);
  mailbox.wake();
  mailbox.await(1, std::chrono::milliseconds(1));
  EXPECT_TRUE(mailbox.take(true).requests.empty());  // it returns
}

TEST(Mailbox, ARequestThatIsPostedAfterTheWaitWasGivenUpWakesTheNextOne) {
  Mailbox mailbox(4);
  mailbox.await(3, std::chrono::milliseconds(1));
  std::thread client([&] { post_one(mailbox); });
  EXPECT_EQ(mailbox.take(true).requests.size(), 1u);
  client.join();
}

}  // namespace
}  // namespace chorus::engine
