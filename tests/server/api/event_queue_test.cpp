#include "server/api/event_queue.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <new>
#include <string>
#include <vector>

namespace chorus::server {
namespace {

// Two loops and the queues of an engine, of which every other one is the second loop's.
class EventBatchTest : public testing::Test {
 protected:
  void add_queue(bool throws = false) {
    std::size_t number = queues_.size();
    auto wake = [this, number, throws](std::size_t) {
      woken_ += std::to_string(number);
      if (throws) throw std::bad_alloc();
    };
    queues_.push_back(
        std::make_shared<EventQueue>(loops_[number % 2].get_executor(), wake, batch_));
  }
  void push(std::size_t queue) { queues_[queue]->callback(0)(Event{}); }
  // How many functions the loop ran.
  std::size_t run(std::size_t loop) {
    loops_[loop].restart();
    return loops_[loop].poll();
  }

  std::vector<boost::asio::io_context> loops_{2};
  std::shared_ptr<EventBatch> batch_ = std::make_shared<EventBatch>();
  std::vector<std::shared_ptr<EventQueue>> queues_;
  std::string woken_;
};

TEST_F(EventBatchTest, WakesEachLoopOnceForAllOfItsConnections) {
  for (int i = 0; i < 6; ++i) add_queue();
  for (std::size_t i : {3u, 0u, 4u, 1u, 0u, 2u}) push(i);
  EXPECT_EQ(run(0) + run(1), 0u);
  batch_->pass_on();
  EXPECT_EQ(run(0), 1u);
  EXPECT_EQ(woken_, "042");
  EXPECT_EQ(run(1), 1u);
  EXPECT_EQ(woken_, "04231");
  EXPECT_EQ(queues_[0]->take().size(), 2u);
  batch_->pass_on();
  EXPECT_EQ(run(0) + run(1), 0u);
}

TEST_F(EventBatchTest, AQueueIsPassedOnAgainWhenItsConnectionHasBeenWoken) {
  for (int i = 0; i < 3; ++i) add_queue();
  push(0);
  push(2);
  batch_->pass_on();
  push(0);  // on its way already
  push(1);
  batch_->pass_on();
  EXPECT_EQ(run(0), 1u);
  EXPECT_EQ(run(1), 1u);
  EXPECT_EQ(woken_, "021");
  push(2);
  push(0);
  batch_->pass_on();
  EXPECT_EQ(run(0), 1u);
  EXPECT_EQ(woken_, "02120");
}

TEST_F(EventBatchTest, OneWhoseConnectionFindsNoMemoryDoesNotKeepTheOthersFromBeingWoken) {
  add_queue(true);
  add_queue();
  add_queue();
  push(0);
  push(2);
  batch_->pass_on();
  EXPECT_EQ(run(0), 1u);
  EXPECT_EQ(woken_, "02");
}

TEST_F(EventBatchTest, AQueueWithoutABatchWakesItsConnectionAtOnce) {
  batch_ = nullptr;
  add_queue();
  push(0);
  push(0);
  EXPECT_EQ(run(0), 1u);
  EXPECT_EQ(woken_, "0");
}

// A connection that has ended, whose queue the engine still knows.
TEST_F(EventBatchTest, NobodyIsWokenAfterDetaching) {
  add_queue();
  add_queue();
  push(0);
  queues_[0]->detach();
  queues_.clear();
  batch_->pass_on();
  EXPECT_EQ(run(0), 1u);
  EXPECT_EQ(woken_, "");
}

}  // namespace
}  // namespace chorus::server
