#include "model/kv_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace chorus::model {
namespace {

KvLayout small_layout(std::int64_t channels = 40, NumberFormat format = NumberFormat::kF32) {
  checkpoint::ModelConfig config;
  config.n_layer = 2;
  config.n_head = 1;
  config.n_embd = channels;
  return KvLayout(config, format);
}

TEST(KvStore, PagesAreApartAlignedAndKeepWhatIsWritten) {
  for (NumberFormat format : {NumberFormat::kF32, NumberFormat::kBf16}) {
    KvStore store(small_layout(5, format), 200);
    std::size_t size = store.layout().page_bytes();
    for (PageNumber page : {199u, 0u, 64u, 63u, 1u, 128u}) {
      store.allot(page);
      std::fill_n(store.data(page), size, static_cast<std::byte>(page));
    }
    for (PageNumber page : {199u, 0u, 64u, 63u, 1u, 128u}) {
      store.allot(page);  // has memory already
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(store.data(page)) % 64, 0u);
      EXPECT_TRUE(std::all_of(store.data(page), store.data(page) + size, [page](std::byte byte) {
        return byte == static_cast<std::byte>(page);
      })) << page;
    }
  }
}

TEST(KvStore, MemoryIsAllottedInSlabsAndNeverBeyondTheBound) {
  KvStore store(small_layout(), 70);
  std::size_t page = store.layout().page_bytes();
  EXPECT_EQ(store.allotted_bytes(), 0u);
  store.allot(3);
  store.allot(63);
  EXPECT_EQ(store.allotted_bytes(), 64 * page);
  store.allot(69);
  EXPECT_EQ(store.allotted_bytes(), 70 * page);
  // One page of a large model is a slab of its own.
  KvStore large(small_layout(64 << 10), 2);
  large.allot(1);
  EXPECT_EQ(large.allotted_bytes(), large.layout().page_bytes());
}

TEST(KvStore, ACopyIsAWholePageOfItsOwn) {
  KvStore store(small_layout(), 300);
  std::size_t size = store.layout().page_bytes();
  store.allot(2);
  std::fill_n(store.data(2), size, std::byte{7});
  store.copy(2, 250);  // of another slab, which has no memory yet
  EXPECT_TRUE(std::equal(store.data(2), store.data(2) + size, store.data(250)));
  std::fill_n(store.data(2), size, std::byte{8});
  EXPECT_EQ(store.data(250)[0], std::byte{7});
  EXPECT_EQ(store.data(250)[size - 1], std::byte{7});
}

#ifndef NDEBUG
TEST(KvStoreDeathTest, PagesWithoutMemoryAreNoticed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  KvStore store(small_layout(), 70);
  EXPECT_DEATH(store.data(0), "slabs_");
  EXPECT_DEATH(store.allot(70), "max_pages_");
}
#endif

}  // namespace
}  // namespace chorus::model
