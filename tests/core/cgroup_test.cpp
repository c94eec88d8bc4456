#include "core/cgroup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/memory.h"
#include "support/scratch_folder.h"

namespace chorus {
namespace {

// Files of /proc and /sys as a kernel would show them, in a folder that stands for the root.
class CgroupTest : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& contents) {
    std::filesystem::create_directories(std::filesystem::path(root_.file(path)).parent_path());
    root_.write(path, contents);
  }
  void mount_v2(const std::string& shown = "/") {
    write("proc/self/mountinfo",
          "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
          "30 22 0:26 " +
              shown + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  }
  void mount_v1(const std::string& shown = "/") {
    write("proc/self/mountinfo",
          "31 30 0:28 " + shown +
              " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
              "34 30 0:31 " +
              shown + " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  }
  CgroupLimits limits() const { return cgroup_limits(root_.path()); }

  test::ScratchFolder root_;
};

TEST_F(CgroupTest, NoGroupsAreNoLimits) {
  EXPECT_FALSE(limits().processors);
  EXPECT_FALSE(limits().memory);
}

TEST_F(CgroupTest, TheLeastLimitOfAllGroupsAboveCounts) {
  mount_v2();
  write("proc/self/cgroup", "0::/slice/service\n");
  write("sys/fs/cgroup/slice/service/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/slice/service/memory.max", "max\n");
  EXPECT_FALSE(limits().processors);
  EXPECT_FALSE(limits().memory);
  write("sys/fs/cgroup/slice/cpu.max", "150000 100000\n");
  write("sys/fs/cgroup/slice/memory.max", "1000000\n");
  write("sys/fs/cgroup/slice/memory.current", "400000\n");
  EXPECT_EQ(limits().processors, 1.5);
  EXPECT_EQ(limits().memory, 600000u);
  write("sys/fs/cgroup/slice/service/cpu.max", "50000 100000\n");
  EXPECT_EQ(limits().processors, 0.5);
}

TEST_F(CgroupTest, FilesLeaveRoom) {
  mount_v2();
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "1000000\n");
  write("sys/fs/cgroup/memory.current", "900000\n");
  write("sys/fs/cgroup/memory.stat", "anon 100000\ninactive_file 700000\nactive_file 100000\n");
  EXPECT_EQ(limits().memory, 900000u);
}

TEST_F(CgroupTest, MoreInUseThanAllowedLeavesNothing) {
  mount_v2();
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "1000\n");
  write("sys/fs/cgroup/memory.current", "2000\n");
  EXPECT_EQ(limits().memory, 0u);
}

TEST_F(CgroupTest, AContainerShowsItsOwnGroupAsTheMountsRoot) {
  // Without a cgroup namespace the path is the machine's, and the mount's root is the group.
  mount_v2("/docker/abc");
  write("proc/self/cgroup", "0::/docker/abc\n");
  write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(limits().processors, 2.0);
  // With one, the path may be the root, or lead out of what can be seen.
  mount_v2();
  for (const char* path : {"0::/\n", "0::/../other\n", "0::/not/mounted/here\n"}) {
    write("proc/self/cgroup", path);
    EXPECT_EQ(limits().processors, 2.0) << path;
  }
}

TEST_F(CgroupTest, Version1HasAHierarchyForEachController) {
  mount_v1();
  write("proc/self/cgroup", "4:memory:/job\n1:cpuacct,cpu:/job\n0::/\n");
  write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "5000\n");
  EXPECT_FALSE(limits().processors);
  EXPECT_FALSE(limits().memory);
  write("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "8000\n");
  write("sys/fs/cgroup/memory/job/memory.stat",
        "inactive_file 1\nactive_file 1\ntotal_inactive_file 700\ntotal_active_file 300\n");
  EXPECT_EQ(limits().processors, 2.5);
  EXPECT_EQ(limits().memory, 4000u);
}

TEST_F(CgroupTest, AvailableMemoryIsTheLessOfTheMachinesAndTheGroups) {
  write("proc/meminfo", "MemTotal: 2000 kB\nMemFree: 3 kB\nMemAvailable:    1000 kB\n");
  EXPECT_EQ(available_memory(root_.path()), 1024'000u);
  mount_v2();
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "5000000\n");
  EXPECT_EQ(available_memory(root_.path()), 1024'000u);
  write("sys/fs/cgroup/memory.max", "5000\n");
  EXPECT_EQ(available_memory(root_.path()), 5000u);
}

TEST_F(CgroupTest, MostMemoryIsTheLessOfTheMachinesAndTheGroupsAndSwap) {
  EXPECT_EQ(most_memory(root_.path()), 0u);  // not known
  write("proc/meminfo", "MemTotal: 2000 kB\nMemAvailable: 1 kB\n");
  EXPECT_EQ(most_memory(root_.path()), 2048'000u);
  write("proc/meminfo",
        "MemTotal: 2000 kB\nMemAvailable: 1 kB\nSwapTotal:  500 kB\nSwapFree: 0 kB\n");
  EXPECT_EQ(most_memory(root_.path()), 2560'000u);
  mount_v2();
  write("proc/self/cgroup", "0::/slice/service\n");
  write("sys/fs/cgroup/slice/service/memory.max", "max\n");
  EXPECT_EQ(most_memory(root_.path()), 2560'000u);
  write("sys/fs/cgroup/slice/memory.max", "8000\n");
  write("sys/fs/cgroup/slice/memory.current", "7000\n");
  EXPECT_EQ(most_memory(root_.path()), 520'000u);
}

TEST_F(CgroupTest, MostMemoryOfVersion1) {
  write("proc/meminfo", "MemTotal: 2000 kB\n");
  mount_v1();
  write("proc/self/cgroup", "4:memory:/job\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(most_memory(root_.path()), 2048'000u);
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "8000\n");
  EXPECT_EQ(most_memory(root_.path()), 8000u);
}

TEST_F(CgroupTest, SwapIsWhatTheGroupsAllowOfTheMachines) {
  write("proc/meminfo", "MemTotal: 2000 kB\nSwapTotal: 500 kB\n");
  mount_v2();
  write("proc/self/cgroup", "0::/slice/service\n");
  write("sys/fs/cgroup/slice/service/memory.max", "8000\n");
  write("sys/fs/cgroup/slice/service/memory.swap.max", "max\n");
  EXPECT_EQ(most_memory(root_.path()), 520'000u);
  write("sys/fs/cgroup/slice/memory.swap.max", "0\n");  // as containers have it
  EXPECT_EQ(most_memory(root_.path()), 8000u);
  mount_v1();
  write("proc/self/cgroup", "4:memory:/job\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "8000\n");
  EXPECT_EQ(most_memory(root_.path()), 520'000u);
  write("sys/fs/cgroup/memory/job/memory.memsw.limit_in_bytes", "9000\n");
  EXPECT_EQ(most_memory(root_.path()), 9000u);
}

TEST_F(CgroupTest, OwnLimitsBoundMemoryToo) {
  write("proc/meminfo", "MemTotal: 2000 kB\nMemAvailable: 1000 kB\n");
  write("proc/self/status", "Name:\tx\nVmSize:\t     300 kB\nVmRSS:\t 9 kB\nVmData:\t  100 kB\n");
  std::string limits =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max data size             unlimited            unlimited            bytes     \n";
  write("proc/self/limits", limits);
  EXPECT_FALSE(mappable_memory(root_.path()));
  EXPECT_STREQ(memory_bound(root_.path()).of, "the machine");
  EXPECT_EQ(describe_memory(root_.path()),
            "this process may have 2.0 MB (the machine), and has 0.0 MB");
  write(
      "proc/self/limits",
      limits + "Max address space         1024000              unlimited            bytes     \n");
  ASSERT_TRUE(mappable_memory(root_.path()));
  EXPECT_EQ(mappable_memory(root_.path())->bytes, 1024'000u - 300u * 1024);
  EXPECT_EQ(available_memory(root_.path()), 1024'000u - 300u * 1024);
  EXPECT_EQ(memory_bound(root_.path()).bytes, 1024'000u);
  EXPECT_EQ(describe_memory(root_.path()),
            "this process may map 1.0 MB (ulimit -v), and has mapped 0.3 MB");
  write("proc/self/limits",
        "Max data size             102400               unlimited            bytes\n");
  EXPECT_EQ(mappable_memory(root_.path())->bytes, 0u);
  EXPECT_STREQ(mappable_memory(root_.path())->of, "ulimit -d");
}

TEST(AvailableMemory, ThisMachineHasSome) {
  EXPECT_GT(available_memory(), 1u << 20);
  EXPECT_GE(most_memory(), available_memory());
}

}  // namespace
}  // namespace chorus
