// What the scheduler says is to be computed: tokens, page numbers and copies. No model is needed.

#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

namespace chorus::engine {
namespace {

constexpr std::size_t kBlock = 256;
constexpr std::size_t kPromptTokens = 40;  // one page and the beginning of another

Sequence& add(Scheduler& scheduler, Request request,
              const std::shared_ptr<Client>& client = nullptr) {
  auto state = std::make_shared<RequestState>(std::move(request), kBlock);
  state->client = client;
  auto sequence = std::make_unique<Sequence>(std::move(state), 0);
  Sequence& added = *sequence;
  scheduler.add(std::move(sequence));
  return added;
}

Request request_of(std::size_t prompt_tokens, std::size_t new_tokens) {
  Request request;
  request.prompt.resize(prompt_tokens);
  std::iota(request.prompt.begin(), request.prompt.end(), 1);
  request.max_length = static_cast<std::int32_t>(prompt_tokens + new_tokens);
  return request;
}

Sequence& add(Scheduler& scheduler) { return add(scheduler, request_of(kPromptTokens, 2)); }

// The pages of a prompt that has been read and whose sequence has ended.
std::vector<PageNumber> read_once(Scheduler& scheduler) {
  Sequence& sequence = add(scheduler);
  scheduler.admit();
  const Plan& plan = scheduler.plan();
  EXPECT_EQ(plan.chunks.at(0).ids.size(), kPromptTokens);
  EXPECT_TRUE(plan.copies.empty());
  scheduler.advance();
  std::vector<PageNumber> pages = sequence.pages;
  scheduler.end(sequence);
  scheduler.remove_ended();
  EXPECT_TRUE(scheduler.check());
  return pages;
}

TEST(Scheduler, APromptThatWasReadBeforeSharesFullPagesAndCopiesTheRest) {
  Scheduler scheduler(8, true, 64, [](PageNumber) {});
  std::vector<PageNumber> pages = read_once(scheduler);
  Sequence& again = add(scheduler);
  scheduler.admit();
  const Plan& plan = scheduler.plan();
  ASSERT_EQ(plan.copies.size(), 1u);
  EXPECT_EQ(plan.copies[0].from, pages[1]);
  EXPECT_EQ(plan.copies[0].to, again.pages[1]);
  EXPECT_NE(again.pages[1], pages[1]);
  EXPECT_EQ(again.pages[0], pages[0]);
  EXPECT_EQ(plan.chunks.at(0).position, kPromptTokens - 1);
  EXPECT_EQ(plan.chunks[0].pages.size(), 2u);
  scheduler.advance();
  EXPECT_TRUE(scheduler.plan().copies.empty());
  EXPECT_TRUE(scheduler.check());
}

TEST(Scheduler, APageThatIsCopiedFromMayBeTakenOverInTheSameStep) {
  Scheduler scheduler(3, true, 64, [](PageNumber) {});
  std::vector<PageNumber> pages = read_once(scheduler);
  Sequence& first = add(scheduler);
  Sequence& second = add(scheduler);
  scheduler.admit();
  const Plan& plan = scheduler.plan();
  ASSERT_EQ(plan.copies.size(), 1u);
  EXPECT_EQ(plan.copies[0].from, pages[1]);
  EXPECT_EQ(plan.copies[0].to, first.pages[1]);
  EXPECT_EQ(second.pages[1], pages[1]);  // as it is
  EXPECT_TRUE(scheduler.check());
}

TEST(Scheduler, CopiesOfAStepThatFailedAreForgotten) {
  Scheduler scheduler(8, true, 64, [](PageNumber) {});
  read_once(scheduler);
  Sequence& failed = add(scheduler);
  scheduler.admit();
  EXPECT_EQ(scheduler.plan().copies.size(), 1u);
  scheduler.end(failed);  // without advance(): there was no memory for the step
  scheduler.remove_ended();
  EXPECT_TRUE(scheduler.plan().copies.empty());
  EXPECT_TRUE(scheduler.check());
}

// Rows of the plan for each client.
std::map<const Client*, std::size_t> rows_of_clients(const Plan& plan) {
  std::map<const Client*, std::size_t> rows;
  for (std::size_t i = 0; i < plan.chunks.size(); ++i) {
    rows[plan.sequences[i]->state->client.get()] += plan.chunks[i].ids.size();
  }
  return rows;
}

// A step, in which whatever has no token to run gets one.
std::map<const Client*, std::size_t> make_step(Scheduler& scheduler) {
  scheduler.admit();
  const Plan& plan = scheduler.plan();
  auto rows = rows_of_clients(plan);
  scheduler.advance();
  for (Sequence* sequence : plan.sequences) {
    if (sequence->rows() == 0) sequence->tokens.push_back(7);
  }
  return rows;
}

std::vector<Sequence*> decode(Scheduler& scheduler, std::size_t count,
                              const std::shared_ptr<Client>& client) {
  std::vector<Sequence*> sequences;
  for (std::size_t i = 0; i < count; ++i) {
    sequences.push_back(&add(scheduler, request_of(1, kBlock - 1), client));
  }
  return sequences;
}

// Until all decode.
void read_prompts(Scheduler& scheduler) {
  for (int steps = 0; steps < 20; ++steps) make_step(scheduler);
  ASSERT_TRUE(scheduler.waiting().empty());
  for (const auto& sequence : scheduler.running()) ASSERT_TRUE(sequence->decodes());
}

TEST(Scheduler, AStepOfOneClientHasAllThatDecodes) {
  Scheduler scheduler(1024, true, 256, [](PageNumber) {});
  auto client = std::make_shared<Client>();
  decode(scheduler, 50, client);
  read_prompts(scheduler);
  EXPECT_EQ(make_step(scheduler)[client.get()], 50u);
}

TEST(Scheduler, AStepOfManyClientsHasARowOfEach) {
  Scheduler scheduler(1024, true, 256, [](PageNumber) {});
  std::vector<std::shared_ptr<Client>> clients;
  for (int i = 0; i < 50; ++i) {
    decode(scheduler, 1, clients.emplace_back(std::make_shared<Client>()));
  }
  read_prompts(scheduler);
  EXPECT_EQ(make_step(scheduler).size(), 50u);
}

TEST(Scheduler, WhoHasManyThatDecodeTakesTurnsWithHimselfAndNotWithOthers) {
  Scheduler scheduler(1024, true, 256, [](PageNumber) {});
  auto many = std::make_shared<Client>(), few = std::make_shared<Client>();
  std::vector<Sequence*> of_many = decode(scheduler, 100, many);
  std::vector<Sequence*> of_few = decode(scheduler, 3, few);
  read_prompts(scheduler);
  auto done = [](const std::vector<Sequence*>& sequences) {
    std::vector<std::size_t> positions;
    for (const Sequence* sequence : sequences) positions.push_back(sequence->done);
    return positions;
  };
  std::vector<std::size_t> few_before = done(of_few), many_before = done(of_many);
  constexpr std::size_t kSteps = 20;  // with 29 rows each for many: 5.8 for each of its sequences
  for (std::size_t i = 0; i < kSteps; ++i) {
    auto rows = make_step(scheduler);
    EXPECT_EQ(rows[few.get()], 3u);
    EXPECT_EQ(rows[many.get()], 29u);
  }
  for (std::size_t i = 0; i < of_few.size(); ++i) {
    EXPECT_EQ(of_few[i]->done, few_before[i] + kSteps);
  }
  for (std::size_t i = 0; i < of_many.size(); ++i) {
    EXPECT_GE(of_many[i]->done, many_before[i] + 5);
    EXPECT_LE(of_many[i]->done, many_before[i] + 7);
  }
}

TEST(Scheduler, RowsOfPromptsAreDealtOutEvenlyAmongClients) {
  Scheduler scheduler(1024, false, 256, [](PageNumber) {});
  auto many = std::make_shared<Client>(), few = std::make_shared<Client>();
  for (int i = 0; i < 8; ++i) add(scheduler, request_of(200, 1), many);
  add(scheduler, request_of(200, 1), few);
  auto rows = make_step(scheduler);
  EXPECT_EQ(rows[few.get()], 128u);
  EXPECT_EQ(rows[many.get()], 128u);
  EXPECT_EQ(make_step(scheduler)[few.get()], 72u);  // which is all that was left
}

TEST(Scheduler, BesideWhatDecodesEveryClientReadsARowOfItsPrompt) {
  Scheduler scheduler(1024, false, 256, [](PageNumber) {});
  decode(scheduler, 1, std::make_shared<Client>());
  read_prompts(scheduler);
  std::vector<std::shared_ptr<Client>> clients;
  for (int i = 0; i < 30; ++i) {
    for (int j = 0; j <= i % 2; ++j) {
      auto& client = clients.emplace_back(j == 0 ? std::make_shared<Client>() : clients.back());
      add(scheduler, request_of(200, 1), client);
    }
  }
  auto rows = make_step(scheduler);
  for (const auto& client : clients) EXPECT_EQ(rows[client.get()], 1u);
}

TEST(Scheduler, RowsWithLogitsAreDealtOutAmongPromptsThatWantThem) {
  Scheduler scheduler(1024, false, 256, [](PageNumber) {});
  auto one = std::make_shared<Client>(), other = std::make_shared<Client>();
  for (const auto& client : {one, other}) {
    Request request = request_of(200, 0);
    request.prompt_logprobs = 0;
    add(scheduler, request, client);
  }
  auto rows = make_step(scheduler);
  EXPECT_EQ(rows[one.get()], 32u);
  EXPECT_EQ(rows[other.get()], 32u);
}

TEST(Scheduler, WhoHasFewerRunningIsAdmittedFirst) {
  Scheduler scheduler(1024, true, 4, [](PageNumber) {});
  auto many = std::make_shared<Client>(), few = std::make_shared<Client>();
  std::vector<Sequence*> of_many = decode(scheduler, 8, many);
  scheduler.admit();  // four of them
  std::vector<Sequence*> of_few = decode(scheduler, 2, few);
  for (std::size_t i = 0; i < 2; ++i) {
    scheduler.end(*of_many[i]);
    scheduler.remove_ended();
    scheduler.admit();
    EXPECT_EQ(scheduler.running().back().get(), of_few[i]);
  }
  scheduler.end(*of_few[0]);
  scheduler.remove_ended();
  scheduler.admit();
  EXPECT_EQ(scheduler.running().back().get(), of_many[4]);  // in their order
  EXPECT_EQ(scheduler.waiting().size(), 3u);
  EXPECT_TRUE(scheduler.check());
}

}  // namespace
}  // namespace chorus::engine
