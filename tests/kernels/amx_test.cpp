// Whether AMX is used: what is asked, tried and said, with the instructions emulated.

#include "kernels/amx.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <tuple>

#include "kernels/kernels.h"
#include "support/amx_emulator.h"

namespace chorus::kernels {
namespace {

class Environment {
 public:
  Environment(const char* isa, const char* amx) {
    ::setenv("CHORUS_ISA", isa, 1);
    ::setenv("CHORUS_AMX", amx, 1);
  }
  ~Environment() {
    ::unsetenv("CHORUS_ISA");
    ::unsetenv("CHORUS_AMX");
  }
};

// The name of the table and whether it uses AMX, or the error.
std::string chosen(const char* isa, const char* amx) {
  Environment environment(isa, amx);
  auto kernels = choose_kernels();
  if (!kernels) return kernels.assume_error().message;
  const Kernels& table = *kernels.assume_value();
  return std::string(table.name) + (table.amx ? " with AMX" : "");
}

class Pretended {
 public:
  explicit Pretended(Amx answer) : answer_(std::move(answer)) { pretend_amx(&answer_); }
  ~Pretended() { pretend_amx(nullptr); }

 private:
  Amx answer_;
};

TEST(Amx, IsUsedWithAvx512UnlessItIsTurnedOff) {
  if (!has_vnni(Isa::kAvx512)) GTEST_SKIP() << "this processor lacks AVX-512 with VNNI";
  Pretended amx({.int8 = true, .bf16 = true, .missing = "", .is_surprising = false});
  EXPECT_EQ(chosen("", ""), "avx512 with AMX");
  EXPECT_EQ(chosen("", "1"), "avx512 with AMX");
  EXPECT_EQ(chosen("avx512", ""), "avx512 with AMX");
  EXPECT_EQ(chosen("avx512", "0"), "avx512");
  EXPECT_EQ(chosen("", "0"), "avx512");
  EXPECT_EQ(chosen("avx2", ""), "avx2");
  EXPECT_EQ(chosen("scalar", "0"), "scalar");
  EXPECT_EQ(chosen("avx2", "1"),
            "CHORUS_AMX=1: AMX is part of avx512, and CHORUS_ISA=avx2 was asked for");
}

TEST(Amx, IsAnErrorWhereItWasAskedForAndIsMissing) {
  Pretended amx({.missing = "the moon is full"});
  std::string best = chosen("", "0");
  EXPECT_EQ(chosen("", ""), best);
  EXPECT_EQ(chosen("", "1"), "CHORUS_AMX=1: the moon is full");
}

TEST(Amx, ItsVariableIsCheckedOnEveryMachine) {
  for (const char* value : {"2", "off", "true", " 1"}) {
    EXPECT_EQ(chosen("", value), "CHORUS_AMX=" + std::string(value) + ": expected 0 or 1");
    EXPECT_EQ(chosen("scalar", value), "CHORUS_AMX=" + std::string(value) + ": expected 0 or 1");
  }
  EXPECT_EQ(chosen("sse9", "2"), "CHORUS_ISA=sse9: expected scalar, avx2 or avx512");
}

TEST(Amx, IsNotedWhereTheProcessorHasItInVain) {
  if (!has_vnni(Isa::kAvx512)) GTEST_SKIP() << "this processor lacks AVX-512 with VNNI";
  Amx refused{.missing = "the system refused its use", .is_surprising = true};
  auto note = [](const char* isa, const char* value) {
    Environment environment(isa, value);
    return amx_note(*choose_kernels().assume_value());
  };
  {
    Pretended amx(refused);
    EXPECT_EQ(note("", ""),
              "AMX is not used: the system refused its use (CHORUS_AMX=0 leaves it alone)");
    EXPECT_EQ(note("", "0"), "");
    EXPECT_EQ(note("avx2", ""), "");
  }
  refused.is_surprising = false;
  Pretended amx(refused);
  EXPECT_EQ(note("", ""), "");
}

TEST(Amx, SaysWhyItIsMissing) {
  EXPECT_EQ(amx().missing.empty(), amx().int8);
  EXPECT_LE(amx().bf16, amx().int8);
}

#if defined(__x86_64__) && defined(__linux__)
TEST(Amx, IsTriedBeforeItIsUsed) {
  if (!test::AmxEmulator::can_emulate()) GTEST_SKIP() << "AMX cannot be emulated here";
  for (bool bf16 : {false, true}) {
    test::AmxEmulator emulator;
    EXPECT_TRUE(amx_products_agree(bf16));
    EXPECT_GT(emulator.products(), 0u);
    emulator.break_products();
    EXPECT_FALSE(amx_products_agree(bf16));
  }
}

// Each kind of product is tried: one that is wrong alone is found, too.
TEST(Amx, OneWrongKindOfProductIsEnough) {
  if (!test::AmxEmulator::can_emulate()) GTEST_SKIP() << "AMX cannot be emulated here";
  using Products = test::AmxEmulator::Products;
  for (auto [broken, bf16, agree] :
       {std::tuple{Products::kBytes, false, false}, std::tuple{Products::kBytes, true, false},
        std::tuple{Products::kBf16, false, true}, std::tuple{Products::kBf16, true, false}}) {
    test::AmxEmulator emulator;
    emulator.break_products(broken);
    EXPECT_EQ(amx_products_agree(bf16), agree) << static_cast<int>(broken) << ", " << bf16;
  }
}
#endif

// A processor may have tiles of bytes alone.
TEST(Amx, WithoutItsBf16OtherKernelsMakeThose) {
  if (!has_vnni(Isa::kAvx512)) GTEST_SKIP() << "this processor lacks AVX-512 with VNNI";
  for (bool bf16 : {false, true}) {
    Pretended amx({.int8 = true, .bf16 = bf16, .missing = "", .is_surprising = false});
    const Kernels& kernels = kernels_with_amx();
    EXPECT_TRUE(kernels.amx);
    EXPECT_EQ(kernels.amx_bf16, bf16);
    EXPECT_EQ(kernels.matmul.bf16.matmul != kernels_for(Isa::kAvx512).matmul.bf16.matmul, bf16);
    EXPECT_NE(kernels.matmul.int8, kernels_for(Isa::kAvx512).matmul.int8);
  }
}

}  // namespace
}  // namespace chorus::kernels
