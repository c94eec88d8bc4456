#include "engine/internals.h"

#include <chrono>
#include <future>

#include "core/out_of_memory.h"
#include "engine/engine_impl.h"

namespace chorus {

Result<void> EngineInternals::check_integrity(Engine& engine) {
  std::promise<Result<void>> result;
  Engine::Impl& impl = *engine.impl_;
  impl.mailbox->post_task(
      [&] { result.set_value(or_out_of_memory([&] { return impl.loop->check(); })); });
  return result.get_future().get();
}

std::optional<double> EngineInternals::run_when_idle(
    Engine& engine, const std::function<void(ThreadTeam::Member&)>& work) {
  using Clock = std::chrono::steady_clock;
  std::promise<std::optional<double>> result;
  Engine::Impl& impl = *engine.impl_;
  impl.mailbox->post_task([&] {
    if (!impl.loop->is_idle()) return result.set_value(std::nullopt);
    Clock::time_point start = Clock::now();
    impl.team.run(work);
    result.set_value(std::chrono::duration<double>(Clock::now() - start).count());
  });
  return result.get_future().get();
}

std::vector<std::span<const std::byte>> EngineInternals::step_weights(const Engine& engine) {
  std::vector<std::span<const std::byte>> memory;
  for (const model::PackedMatrix* matrix : engine.impl_->model->weights().step_matrices()) {
    matrix->add_memory_to(memory);
  }
  return memory;
}

std::uint64_t EngineInternals::step_products(const Engine& engine) {
  std::uint64_t products = 0;
  for (const model::PackedMatrix* matrix : engine.impl_->model->weights().step_matrices()) {
    products += std::uint64_t{matrix->outputs()} * matrix->inputs();
  }
  return products;
}

}  // namespace chorus
