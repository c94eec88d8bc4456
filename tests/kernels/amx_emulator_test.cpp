// The emulator of AMX's instructions: their encodings as the assembler writes them, with many
// registers and forms of address; their results against plain loops; what a processor refuses. On a
// machine with AMX the same programs run on it, too, and must give what the emulator gives.

#include "support/amx_emulator.h"

#include <gtest/gtest.h>

#if defined(__x86_64__) && defined(__linux__)

#include <sys/mman.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace chorus::test {
namespace {

// --- programs: functions of (tiles' configuration or memory, ...), each with the name and the
// instructions that the test says ---

#define PROGRAM(name, instructions)                                              \
  asm(".text\n.globl chorus_amx_" #name "\nchorus_amx_" #name ":\n" instructions \
      "\n"                                                                       \
      "ret\n");                                                                  \
  extern "C" void chorus_amx_##name(const void*, const void*, std::size_t, void*)

// Addresses of configurations: rdi points to one, less so many bytes as the form adds.
PROGRAM(config_base, "ldtilecfg (%rdi)");
PROGRAM(config_disp8, "sub $64, %rdi\n ldtilecfg 64(%rdi)");
PROGRAM(config_minus, "add $128, %rdi\n ldtilecfg -128(%rdi)");
PROGRAM(config_disp32, "sub $4660, %rdi\n ldtilecfg 0x1234(%rdi)");
PROGRAM(config_index, "mov $16, %ecx\n sub $64, %rdi\n ldtilecfg (%rdi,%rcx,4)");
PROGRAM(config_r13, "push %r13\n mov %rdi, %r13\n ldtilecfg (%r13)\n pop %r13");
PROGRAM(config_r12, "push %r12\n mov %rdi, %r12\n ldtilecfg (%r12)\n pop %r12");
PROGRAM(config_r12_index,
        "push %r12\n mov $8, %r12d\n lea -8(%rdi), %r9\n ldtilecfg (%r9,%r12,1)\n pop %r12");
PROGRAM(config_rbp, "push %rbp\n mov %rdi, %rbp\n ldtilecfg (%rbp)\n pop %rbp");
PROGRAM(config_no_base, "ldtilecfg -64(,%rdi,1)");
PROGRAM(config_rsp,
        "sub $192, %rsp\n vmovdqu (%rdi), %ymm0\n vmovdqu %ymm0, 72(%rsp)\n vmovdqu 32(%rdi), "
        "%ymm0\n vmovdqu %ymm0, 104(%rsp)\n ldtilecfg 72(%rsp)\n add $192, %rsp\n vzeroupper");
PROGRAM(config_rip,
        "vmovdqu (%rdi), %ymm0\n vmovdqu %ymm0, chorus_amx_place(%rip)\n vmovdqu 32(%rdi), "
        "%ymm0\n vmovdqu %ymm0, 32+chorus_amx_place(%rip)\n ldtilecfg chorus_amx_place(%rip)\n "
        "vzeroupper");
asm(".data\n.p2align 6\nchorus_amx_place: .zero 64\n.text\n");
PROGRAM(store_config, "sttilecfg (%rdi)");
PROGRAM(store_config_disp, "push %r13\n lea -8(%rdi), %r13\n sttilecfg 8(%r13)\n pop %r13");
PROGRAM(release, "tilerelease");

// Loads of rows at rsi, rdx bytes apart, and a store of them to rcx, 64 bytes apart.
#define STORE(tile) "\n mov $64, %eax\n tilestored %tmm" #tile ", (%rcx,%rax,1)"
PROGRAM(load_0, "tileloadd (%rsi,%rdx,1), %tmm0" STORE(0));
PROGRAM(load_7, "tileloadd (%rsi,%rdx,1), %tmm7" STORE(7));
PROGRAM(load_t1, "tileloaddt1 (%rsi,%rdx,1), %tmm1" STORE(1));
PROGRAM(load_disp8, "sub $100, %rsi\n tileloadd 100(%rsi,%rdx,1), %tmm2" STORE(2));
PROGRAM(load_disp32, "sub $4660, %rsi\n tileloadd 0x1234(%rsi,%rdx,1), %tmm3" STORE(3));
PROGRAM(load_minus, "add $256, %rsi\n tileloadd -256(%rsi,%rdx,1), %tmm4" STORE(4));
PROGRAM(load_scale_2, "shr $1, %rdx\n tileloadd (%rsi,%rdx,2), %tmm5" STORE(5));
PROGRAM(load_scale_8, "shr $3, %rdx\n tileloadd 0(%rsi,%rdx,8), %tmm6" STORE(6));
PROGRAM(load_r8_r9, "mov %rsi, %r8\n mov %rdx, %r9\n tileloadd (%r8,%r9,1), %tmm0" STORE(0));
PROGRAM(load_r13_r12,
        "push %r12\n push %r13\n mov %rsi, %r13\n mov %rdx, %r12\n tileloadd (%r13,%r12,1), "
        "%tmm1" STORE(1) "\n pop %r13\n pop %r12");
PROGRAM(load_r12_rbp,
        "push %r12\n push %rbp\n mov %rsi, %r12\n mov %rdx, %rbp\n tileloadd (%r12,%rbp,1), "
        "%tmm2" STORE(2) "\n pop %rbp\n pop %r12");
PROGRAM(load_rbp_r15,
        "push %r15\n push %rbp\n mov %rsi, %rbp\n mov %rdx, %r15\n shr $2, %r15\n tileloadd "
        "(%rbp,%r15,4), %tmm3" STORE(3) "\n pop %rbp\n pop %r15");
PROGRAM(load_rax_rbx,
        "push %rbx\n mov %rsi, %rax\n mov %rdx, %rbx\n tileloadd (%rax,%rbx,1), %tmm4" STORE(
            4) "\n pop %rbx");
PROGRAM(load_no_base, "tileloadd 0x20000000(,%rdx,1), %tmm5" STORE(5));
PROGRAM(load_no_index, "tileloadd (%rsi), %tmm6" STORE(6));
PROGRAM(store_forms,
        "tileloadd (%rsi,%rdx,1), %tmm7\n push %r14\n push %r11\n lea -8(%rcx), %r14\n mov $16, "
        "%r11d\n tilestored %tmm7, 8(%r14,%r11,4)\n pop %r11\n pop %r14");
PROGRAM(zero_6, "tileloadd (%rsi,%rdx,1), %tmm6\n tilezero %tmm6" STORE(6));

// Sums, then a, then b, at rsi, 1024 bytes each in rows of 64; the sums back to rcx.
#define PRODUCT(name, instruction, sums, a, b)                                                \
  PROGRAM(name,                                                                               \
          "mov $64, %eax\n tileloadd (%rsi,%rax,1), %tmm" #sums                               \
          "\n tileloadd 1024(%rsi,%rax,1), %tmm" #a "\n tileloadd 2048(%rsi,%rax,1), %tmm" #b \
          "\n " #instruction " %tmm" #b ", %tmm" #a ", %tmm" #sums STORE(sums))
PRODUCT(tdpbssd, tdpbssd, 0, 1, 2);
PRODUCT(tdpbsud, tdpbsud, 3, 4, 5);
PRODUCT(tdpbusd, tdpbusd, 7, 0, 6);
PRODUCT(tdpbuud, tdpbuud, 1, 7, 3);
PRODUCT(tdpbf16ps, tdpbf16ps, 4, 2, 7);

// Nothing but tile instructions, so that it can be emulated without being run.
PROGRAM(straight,
        "ldtilecfg (%rdi)\n"
        "tileloadd (%rsi,%rdx,1), %tmm0\n tileloadd 1024(%rsi,%rdx,1), %tmm1\n"
        "tileloaddt1 2048(%rsi,%rdx,1), %tmm2\n tilezero %tmm3\n"
        "tdpbssd %tmm2, %tmm1, %tmm0\n tdpbsud %tmm2, %tmm1, %tmm0\n"
        "tdpbusd %tmm2, %tmm1, %tmm3\n tdpbuud %tmm2, %tmm1, %tmm3\n"
        "tilestored %tmm0, (%rcx,%rdx,1)\n tilestored %tmm3, 1024(%rcx,%rdx,1)\n"
        "sttilecfg 2048(%rcx)\n tilerelease");
PROGRAM(straight_bf16,
        "ldtilecfg (%rdi)\n"
        "tileloadd (%rsi,%rdx,1), %tmm0\n tileloadd 1024(%rsi,%rdx,1), %tmm1\n"
        "tileloadd 2048(%rsi,%rdx,1), %tmm2\n tdpbf16ps %tmm2, %tmm1, %tmm0\n"
        "tilestored %tmm0, (%rcx,%rdx,1)\n tilerelease");

using Program = void (*)(const void*, const void*, std::size_t, void*);
using Bytes = std::vector<std::uint8_t>;

// --- what they are given ---

struct Shape {
  std::size_t rows, row_bytes;
};

// All tiles alike, or of the shapes given.
struct alignas(64) Configuration {
  std::uint8_t bytes[64] = {1};

  void set(std::size_t tile, Shape shape) {
    bytes[16 + 2 * tile] = static_cast<std::uint8_t>(shape.row_bytes);
    bytes[48 + tile] = static_cast<std::uint8_t>(shape.rows);
  }
  explicit Configuration(Shape shape) {
    for (std::size_t tile = 0; tile < 8; ++tile) set(tile, shape);
  }
};

class RunsTiles : public testing::Test {
 protected:
  void SetUp() override {
    if (AmxEmulator::can_emulate()) {
      emulator_.emplace();
    } else if (!kernels::amx().int8) {
      GTEST_SKIP() << "AMX: neither here nor emulated, which takes AVX-512 with VNNI";
    }
  }
  void TearDown() override {
    if (emulator_ || kernels::amx().int8) chorus_amx_release(nullptr, nullptr, 0, nullptr);
  }

  void configure(const Configuration& configuration) {
    chorus_amx_config_base(&configuration, nullptr, 0, nullptr);
  }
  Bytes random(std::size_t count) {
    Bytes bytes(count);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(generator_());
    return bytes;
  }

  std::mt19937 generator_{20261126};

 private:
  std::optional<AmxEmulator> emulator_;
};

Bytes stored_configuration() {
  Bytes bytes(64, 0xee);
  chorus_amx_store_config(bytes.data(), nullptr, 0, nullptr);
  return bytes;
}

TEST_F(RunsTiles, ConfigurationsComeFromEveryFormOfAddress) {
  Configuration configuration({1, 4});
  for (std::size_t t = 0; t < 8; ++t) configuration.set(t, {t + 2, 8 * t + 4});
  Bytes expected(configuration.bytes, configuration.bytes + 64);
  // Where a form adds to the address, the same bytes stand there.
  std::vector<Configuration> many(3, configuration);
  std::pair<const char*, Program> forms[] = {
      {"base", chorus_amx_config_base},   {"disp8", chorus_amx_config_disp8},
      {"minus", chorus_amx_config_minus}, {"disp32", chorus_amx_config_disp32},
      {"index", chorus_amx_config_index}, {"r13", chorus_amx_config_r13},
      {"r12", chorus_amx_config_r12},     {"r12 index", chorus_amx_config_r12_index},
      {"rbp", chorus_amx_config_rbp},     {"no base", chorus_amx_config_no_base},
      {"rsp", chorus_amx_config_rsp},     {"rip", chorus_amx_config_rip}};
  for (auto [name, form] : forms) {
    chorus_amx_release(nullptr, nullptr, 0, nullptr);
    EXPECT_EQ(stored_configuration(), Bytes(64, 0)) << name;
    bool adds = form == chorus_amx_config_no_base;
    form(adds ? many[1].bytes : configuration.bytes, nullptr, 0, nullptr);
    EXPECT_EQ(stored_configuration(), expected) << name;
  }
  Bytes other(64);
  chorus_amx_store_config_disp(other.data(), nullptr, 0, nullptr);
  EXPECT_EQ(other, expected);
}

TEST_F(RunsTiles, LoadsAndStoresGoToEveryFormOfAddress) {
  std::pair<const char*, Program> forms[] = {
      {"tmm0", chorus_amx_load_0},          {"tmm7", chorus_amx_load_7},
      {"t1", chorus_amx_load_t1},           {"disp8", chorus_amx_load_disp8},
      {"disp32", chorus_amx_load_disp32},   {"minus", chorus_amx_load_minus},
      {"scale 2", chorus_amx_load_scale_2}, {"scale 8", chorus_amx_load_scale_8},
      {"r8 r9", chorus_amx_load_r8_r9},     {"r13 r12", chorus_amx_load_r13_r12},
      {"r12 rbp", chorus_amx_load_r12_rbp}, {"rbp r15", chorus_amx_load_rbp_r15},
      {"rax rbx", chorus_amx_load_rax_rbx}, {"store", chorus_amx_store_forms}};
  for (Shape shape : {Shape{16, 64}, Shape{9, 32}, Shape{1, 4}, Shape{7, 20}}) {
    configure(Configuration(shape));
    for (std::size_t stride : {64u, 128u, 960u}) {
      Bytes memory = random(16 * stride + 64);
      Bytes expected(1024 + 64, 0x55);
      for (std::size_t row = 0; row < shape.rows; ++row) {
        std::copy_n(&memory[row * stride], shape.row_bytes, &expected[row * 64]);
      }
      for (auto [name, form] : forms) {
        Bytes out(1024 + 64, 0x55);
        form(nullptr, memory.data(), stride, out.data());
        EXPECT_EQ(out, expected) << name << ", stride " << stride << ", " << shape.rows
                                 << " rows of " << shape.row_bytes;
      }
    }
  }
}

// The stride is the index; without one every row is the first.
TEST_F(RunsTiles, AnAddressNeedsNoIndexAndNoBase) {
  configure(Configuration({16, 64}));
  Bytes memory = random(64), out(1024);
  chorus_amx_load_no_index(nullptr, memory.data(), 0, out.data());
  for (std::size_t row = 0; row < 16; ++row) {
    EXPECT_TRUE(std::equal(memory.begin(), memory.end(), &out[row * 64])) << row;
  }
  void* wanted = reinterpret_cast<void*>(0x20000000);
  void* low = mmap(wanted, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (low != wanted) GTEST_SKIP() << "something lies at that address";
  Bytes rows = random(1024);
  std::copy(rows.begin(), rows.end(), static_cast<std::uint8_t*>(low));
  chorus_amx_load_no_base(nullptr, nullptr, 64, out.data());
  EXPECT_EQ(out, rows);
  munmap(low, 4096);
}

TEST_F(RunsTiles, ZeroedAndNewlyConfiguredTilesAreZero) {
  configure(Configuration({16, 64}));
  Bytes memory = random(1024), out(1024, 1);
  chorus_amx_zero_6(nullptr, memory.data(), 64, out.data());
  EXPECT_EQ(out, Bytes(1024, 0));
  chorus_amx_load_0(nullptr, memory.data(), 64, out.data());
  EXPECT_EQ(out, memory);
}

// --- products against plain loops ---

struct ProductCase {
  const char* name;
  Program program;
  bool a_signed, b_signed;
  unsigned sums, a, b;  // tiles
};

int widened(std::uint8_t byte, bool is_signed) {
  return is_signed ? static_cast<std::int8_t>(byte) : byte;
}

// memory: sums, a and b as PRODUCT has them.
Bytes plain_product(const ProductCase& c, const Bytes& memory, std::size_t m, std::size_t n,
                    std::size_t k) {
  Bytes out(1024, 0x55);
  for (std::size_t row = 0; row < m; ++row) {
    for (std::size_t column = 0; column < n; ++column) {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < 4 * k; ++i) {
        sum += widened(memory[1024 + row * 64 + i], c.a_signed) *
               widened(memory[2048 + i / 4 * 64 + column * 4 + i % 4], c.b_signed);
      }
      std::int32_t start;
      std::memcpy(&start, &memory[row * 64 + column * 4], 4);
      auto result = static_cast<std::uint32_t>(sum + start);
      std::memcpy(&out[row * 64 + column * 4], &result, 4);
    }
  }
  return out;
}

TEST_F(RunsTiles, ProductsOfBytesArePlainLoops) {
  ProductCase cases[] = {{"tdpbssd", chorus_amx_tdpbssd, true, true, 0, 1, 2},
                         {"tdpbsud", chorus_amx_tdpbsud, true, false, 3, 4, 5},
                         {"tdpbusd", chorus_amx_tdpbusd, false, true, 7, 0, 6},
                         {"tdpbuud", chorus_amx_tdpbuud, false, false, 1, 7, 3}};
  for (const ProductCase& c : cases) {
    for (int round = 0; round < 8; ++round) {
      std::size_t m = 1 + generator_() % 16, n = 1 + generator_() % 16, k = 1 + generator_() % 16;
      if (round == 0) m = n = k = 16;
      Configuration configuration({16, 64});
      configuration.set(c.sums, {m, 4 * n});
      configuration.set(c.a, {m, 4 * k});
      configuration.set(c.b, {k, 4 * n});
      configure(configuration);
      Bytes memory = random(3072), out(1024, 0x55);
      if (round == 1) std::fill(memory.begin(), memory.end(), 0xff);  // sums that wrap around
      c.program(nullptr, memory.data(), 0, out.data());
      EXPECT_EQ(out, plain_product(c, memory, m, n, k))
          << c.name << " " << m << " " << n << " " << k;
    }
  }
}

float widened_bf16(const std::uint8_t* place) {
  std::uint16_t bits;
  std::memcpy(&bits, place, 2);
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// Inputs of everyday size, where nothing is subnormal.
TEST_F(RunsTiles, TheProductOfBf16IsTwoChainsAndTheirSum) {
  if (!kernels::amx().bf16) GTEST_SKIP() << "this processor lacks AMX-BF16";
  configure(Configuration({16, 64}));
  std::normal_distribution<float> normal;
  std::vector<float> sums(256);
  Bytes memory(3072), out(1024);
  for (float& sum : sums) sum = normal(generator_);
  std::memcpy(memory.data(), sums.data(), 1024);
  for (std::size_t i = 1024; i < 3072; i += 2) {
    auto bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(normal(generator_)) >> 16);
    std::memcpy(&memory[i], &bits, 2);
  }
  chorus_amx_tdpbf16ps(nullptr, memory.data(), 0, out.data());
  for (std::size_t m = 0; m < 16; ++m) {
    for (std::size_t n = 0; n < 16; ++n) {
      float chains[2] = {};
      for (std::size_t k = 0; k < 32; ++k) {
        float a = widened_bf16(&memory[1024 + m * 64 + 2 * k]);
        float b = widened_bf16(&memory[2048 + k / 2 * 64 + n * 4 + k % 2 * 2]);
        chains[k % 2] = std::fma(a, b, chains[k % 2]);
      }
      float expected = sums[m * 16 + n] + (chains[0] + chains[1]), found;
      std::memcpy(&found, &out[m * 64 + n * 4], 4);
      EXPECT_EQ(found, expected) << m << ", " << n;
    }
  }
}

TEST(AmxBf16, SubnormalNumbersAreZero) {
  TileState state = {};
  GeneralRegisters registers = {};
  struct Case {
    std::uint16_t a, b;  // the even inputs; the odd ones are 0
    float start;
    std::uint32_t expected;
  };
  for (Case c : {Case{0x0001, 0x7f00, 0.0f, 0},           // an input that is subnormal
                 Case{0x0080, 0x3f00, 0.0f, 0},           // a product that would be
                 Case{0x0080, 0x3f80, 0.0f, 0x00800000},  // the smallest normal number
                 Case{0x8080, 0x3f00, 1.0f, 0x3f800000},  // beside a sum
                 Case{0, 0, 0x1p-130f, 0},                // a sum that was
                 Case{0x3f80, 0x3f80, -1.0f, 0}}) {
    state.is_configured = true;
    for (auto& tile : state.tiles) tile = {.rows = 1, .row_bytes = 4, .data = {}};
    std::memcpy(state.tiles[0].data[0], &c.start, 4);
    std::memcpy(state.tiles[1].data[0], &c.a, 2);
    std::memcpy(state.tiles[2].data[0], &c.b, 2);
    const std::uint8_t tdpbf16ps[] = {0xc4, 0xe2, 0x6a, 0x5c, 0xc1};  // tmm0 += tmm1 * tmm2
    auto outcome = TileInstruction::run(tdpbf16ps, registers, state);
    ASSERT_EQ(outcome.length, sizeof(tdpbf16ps));
    ASSERT_EQ(outcome.fault, nullptr);
    std::uint32_t found;
    std::memcpy(&found, state.tiles[0].data[0], 4);
    EXPECT_EQ(found, c.expected) << c.a << " * " << c.b;
  }
}

// --- the emulator beside the processor ---

// Emulates a program of nothing but tile instructions, with the registers of its call.
void emulate(Program program, const void* rdi, const void* rsi, std::size_t rdx, void* rcx) {
  GeneralRegisters registers = {};
  registers[7] = reinterpret_cast<std::uintptr_t>(rdi);
  registers[6] = reinterpret_cast<std::uintptr_t>(rsi);
  registers[2] = rdx;
  registers[1] = reinterpret_cast<std::uintptr_t>(rcx);
  TileState state = {};
  const auto* code = reinterpret_cast<const std::uint8_t*>(program);
  for (constexpr std::uint8_t kReturn = 0xc3; *code != kReturn;) {
    auto outcome = TileInstruction::run(code, registers, state);
    ASSERT_NE(outcome.length, 0u);
    ASSERT_EQ(outcome.fault, nullptr);
    code += outcome.length;
  }
}

TEST_F(RunsTiles, AProgramGivesWhatTheProcessorGives) {
  bool bf16 = kernels::amx().bf16;
  for (int round = 0; round < 60; ++round) {
    std::size_t m = 1 + generator_() % 16, n = 1 + generator_() % 16, k = 1 + generator_() % 16;
    Configuration configuration({m, 4 * n});
    configuration.set(1, {m, 4 * k});
    configuration.set(2, {k, 4 * n});
    Bytes memory = random(4096), emulated(4096, 0x11), run(4096, 0x11);
    Program program = round % 2 == 1 && bf16 ? chorus_amx_straight_bf16 : chorus_amx_straight;
    if (program == chorus_amx_straight_bf16) {  // no NaN, whose bits are nobody's promise
      for (std::size_t i = 1; i < 3072; i += 2) memory[i] &= 0xbf;
    }
    ASSERT_NO_FATAL_FAILURE(
        emulate(program, configuration.bytes, memory.data(), 64, emulated.data()));
    program(configuration.bytes, memory.data(), 64, run.data());
    EXPECT_EQ(emulated, run) << "round " << round;
  }
}

// --- what a processor refuses ---

const char* fault_of(const Configuration& configuration, std::initializer_list<std::uint8_t> code) {
  TileState state = {};
  GeneralRegisters registers = {};
  registers[7] = reinterpret_cast<std::uintptr_t>(configuration.bytes);
  const std::uint8_t ldtilecfg[] = {0xc4, 0xe2, 0x78, 0x49, 0x07};
  auto outcome = TileInstruction::run(ldtilecfg, registers, state);
  EXPECT_EQ(outcome.length, sizeof(ldtilecfg));
  if (outcome.fault != nullptr || code.size() == 0) return outcome.fault;
  outcome = TileInstruction::run(std::data(code), registers, state);
  EXPECT_EQ(outcome.length, code.size());
  return outcome.fault;
}

constexpr std::initializer_list<std::uint8_t> kTdpbsud012 = {0xc4, 0xe2, 0x6a, 0x5e, 0xc1};

Configuration with(std::size_t tile, Shape shape) {
  Configuration configuration({16, 64});
  configuration.set(tile, shape);
  return configuration;
}
Configuration with_byte(std::size_t place, std::uint8_t value) {
  Configuration configuration({16, 64});
  configuration.bytes[place] = value;
  return configuration;
}

TEST(AmxFaults, ConfigurationsThatAProcessorRefuses) {
  EXPECT_EQ(fault_of(Configuration({16, 64}), {}), nullptr);
  EXPECT_STREQ(fault_of(with(3, {17, 64}), {}), "a tile of more than 16 rows");
  EXPECT_STREQ(fault_of(with(7, {16, 65}), {}), "a tile's row of more than 64 bytes");
  EXPECT_STREQ(fault_of(with_byte(17, 1), {}), "a tile's row of more than 64 bytes");
  EXPECT_STREQ(fault_of(with(0, {0, 64}), {}), "a tile without rows or without columns");
  EXPECT_STREQ(fault_of(with(0, {16, 0}), {}), "a tile without rows or without columns");
  EXPECT_STREQ(fault_of(with_byte(0, 2), {}), "there is no such palette");
  for (std::size_t place : {2u, 15u, 32u, 47u, 56u, 63u}) {
    EXPECT_STREQ(fault_of(with_byte(place, 1), {}), "a reserved byte of the configuration is set");
  }
}

TEST(AmxFaults, ProductsThatAProcessorRefuses) {
  EXPECT_EQ(fault_of(Configuration({16, 64}), kTdpbsud012), nullptr);
  EXPECT_STREQ(fault_of(with(0, {15, 64}), kTdpbsud012),
               "the first factor has other rows than the sums");
  EXPECT_STREQ(fault_of(with(1, {15, 64}), kTdpbsud012),
               "the first factor has other rows than the sums");
  EXPECT_STREQ(fault_of(with(1, {16, 60}), kTdpbsud012), "the factors' inner dimensions differ");
  EXPECT_STREQ(fault_of(with(2, {8, 64}), kTdpbsud012), "the factors' inner dimensions differ");
  EXPECT_STREQ(fault_of(with(2, {16, 32}), kTdpbsud012),
               "the second factor has other columns than the sums");
  EXPECT_STREQ(fault_of(with(1, {16, 62}), kTdpbsud012),
               "rows of a product that are not whole groups of four bytes");
  EXPECT_STREQ(fault_of(with(2, {0, 0}), kTdpbsud012), "a tile that is not configured");
  Configuration all({16, 64});
  EXPECT_STREQ(fault_of(all, {0xc4, 0xe2, 0x72, 0x5e, 0xc1}),
               "a product of one tile under two names");  // tmm0, tmm1, tmm1
  EXPECT_STREQ(fault_of(all, {0xc4, 0xe2, 0x7a, 0x5e, 0xc1}),
               "a product of one tile under two names");  // tmm0, tmm1, tmm0
  EXPECT_STREQ(fault_of(all, {0xc4, 0xe2, 0x2a, 0x5e, 0xc1}),
               "a tile that is not configured");  // a ninth tile
  EXPECT_STREQ(fault_of(all, {0xc4, 0xe2, 0xea, 0x5e, 0xc1}), "W or L is set");
  EXPECT_STREQ(fault_of(with_byte(1, 3), kTdpbsud012), "a product in the middle of a tile");
}

TEST(AmxFaults, AddressesAndTilesThatAProcessorRefuses) {
  EXPECT_STREQ(fault_of(with(0, {0, 0}), {0xc4, 0xe2, 0x7b, 0x49, 0xc0}),
               "a tile that is not configured");  // tilezero tmm0
  EXPECT_STREQ(fault_of(Configuration({16, 64}), {0xc4, 0xe2, 0x7b, 0x4b, 0x07}),
               "a tile's address without a SIB byte");
  EXPECT_STREQ(fault_of(Configuration({16, 64}), {0xc4, 0xe2, 0x73, 0x49, 0xc0}), "vvvv is set");
  TileState nothing = {};
  GeneralRegisters registers = {};
  auto outcome = TileInstruction::run(std::data(kTdpbsud012), registers, nothing);
  EXPECT_STREQ(outcome.fault, "a tile that is not configured");
  const std::uint8_t ud2[] = {0x0f, 0x0b}, vpermd[] = {0xc4, 0xe2, 0x6d, 0x36, 0xc1};
  EXPECT_EQ(TileInstruction::run(ud2, registers, nothing).length, 0u);
  EXPECT_EQ(TileInstruction::run(vpermd, registers, nothing).length, 0u);
}

TEST_F(RunsTiles, WhatAProcessorRefusesKillsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(chorus_amx_zero_6(nullptr, nullptr, 0, nullptr), testing::KilledBySignal(SIGILL),
              AmxEmulator::is_alive() ? "AMX emulator: a tile that is not configured" : "");
}

}  // namespace
}  // namespace chorus::test

#endif
