#include "limits/team_limits.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "core/aligned_buffer.h"
#include "kernels/kernels.h"
#include "limits/programs.h"

namespace chorus::limits {
namespace {

using Work = std::function<void(ThreadTeam::Member&)>;
using Memory = std::vector<std::span<const std::byte>>;

// A team that says that `seconds` have passed, whatever its work took.
struct PretendedTeam {
  double seconds;
  std::size_t runs = 0, most_runs = SIZE_MAX;
  ThreadTeam team{1};
  std::optional<double> operator()(const Work& work) {
    if (runs == most_runs) return std::nullopt;
    ++runs;
    team.run(work);
    return seconds;
  }
};

class TeamLimitsTest : public testing::Test {
 protected:
  AlignedBuffer<float> buffer_{64 * kReadTurn};
  Memory memory_{std::as_bytes(buffer_.span())};
};

TEST_F(TeamLimitsTest, AreThePassesOfASecondAtBest) {
  PretendedTeam team{.seconds = 1.0 / 64};
  auto limits = measure_team(std::ref(team), "scalar", NumberFormat::kF32, memory_, 5.0 / 64);
  ASSERT_TRUE(limits);
  // A pass that takes longer than it should is one turn.
  EXPECT_DOUBLE_EQ(limits->reads, 64.0);
  EXPECT_DOUBLE_EQ(limits->operations, 64.0 * programs_for("scalar").multiply_add_operations);
  EXPECT_EQ(team.runs, 10u);
}

TEST_F(TeamLimitsTest, AreUnknownWhereTheTeamHasOtherWork) {
  for (std::size_t most : {0u, 1u, 4u, 7u}) {
    PretendedTeam team{.seconds = 0.01, .most_runs = most};
    EXPECT_FALSE(measure_team(std::ref(team), "scalar", NumberFormat::kF32, memory_, 0.04));
    EXPECT_EQ(team.runs, most) << "it stops at once";
  }
}

TEST_F(TeamLimitsTest, AreUnknownOfNoMemory) {
  PretendedTeam team{.seconds = 0.01};
  Memory tiny{std::as_bytes(buffer_.span().subspan(0, kReadTurn))};
  for (const Memory& memory : {Memory(), tiny}) {
    EXPECT_FALSE(measure_team(std::ref(team), "scalar", NumberFormat::kF32, memory, 0.01));
  }
}

// Parts begin anywhere (a quantised matrix in a file), and are no multiple of what is read at once: nothing
// beyond their ends is read, which the address sanitizer sees, too.
TEST_F(TeamLimitsTest, OfPartsThatBeginAnywhereByRealTeams) {
  auto bytes = std::as_bytes(buffer_.span());
  Memory memory{bytes.subspan(1, 5000), bytes.subspan(6003, 1), bytes.last(9001)};
  for (std::size_t threads : {1u, 3u}) {
    ThreadTeam team(threads);
    auto run = [&team](const Work& work) -> std::optional<double> {
      team.run(work);
      return 1e-3;
    };
    for (NumberFormat format : kWeightFormats) {
      auto limits = measure_team(run, "scalar", format, memory, 1e-3);
      ASSERT_TRUE(limits);
      EXPECT_GE(limits->reads, 1000.0);
      double calls = limits->operations / arithmetic_for("scalar", format).operations;
      EXPECT_GE(calls, 1000.0 * static_cast<double>(threads));
    }
  }
}

TEST(Arithmetic, IsThatOfTheWeights) {
  for (const char* name : {"scalar", "avx2", "avx512"}) {
    Programs vectors = programs_for(name);
    auto amx = amx_programs_for(name);
    EXPECT_EQ(arithmetic_for(name, NumberFormat::kF32).operations, vectors.multiply_add_operations);
    EXPECT_EQ(arithmetic_for(name, NumberFormat::kBf16F32).operations,
              vectors.multiply_add_operations);
    double int8 = amx ? kAmxInt8Operations * kTurns : vectors.dot_operations;
    EXPECT_EQ(arithmetic_for(name, NumberFormat::kInt8).operations, int8);
    EXPECT_EQ(arithmetic_for(name, NumberFormat::kInt4).operations, int8);
    double pairs = amx && amx.assume_value().bf16 ? kAmxBf16Operations * kTurns
                   : vectors.multiply_pairs       ? vectors.multiply_pairs_operations
                                                  : vectors.multiply_add_operations;
    EXPECT_EQ(arithmetic_for(name, NumberFormat::kBf16).operations, pairs);
  }
  auto best = kernels::choose_kernels();
  ASSERT_TRUE(best);
  for (NumberFormat format : kWeightFormats) {
    EXPECT_NE(arithmetic_for(best.assume_value()->name, format).program(), 0.0f);
  }
}

}  // namespace
}  // namespace chorus::limits
