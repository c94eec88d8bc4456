#include "checkpoint/pytorch/state_dict.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "checkpoint/gpt2/names.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr std::size_t kLongestName = 1024;     // bytes, of a tensor
constexpr std::size_t kMostTensors = 1 << 17;  // of one state_dict
constexpr std::size_t kMostLeaves = 1 << 18;   // tensors and other objects in all dicts
constexpr int kDeepest = 16;                   // dicts in dicts
constexpr int kDeepestModule = 8;              // and so deep in a dict for each module
constexpr std::size_t kNoParent = SIZE_MAX;

// The keys that programs use, the more usual first: of two state_dicts in one file the first of
// these is the model.
constexpr std::string_view kUsualKeys[] = {"model", "state_dict", "model_state_dict", "module",
                                           "model_state"};

// Keys of what is large, has tensors, and is never the model.
bool is_of_training(std::string_view key) {
  return key.find("optim") != std::string_view::npos ||
         key.find("scheduler") != std::string_view::npos || key == "scaler" || key == "rng_state" ||
         key == "param_groups";
}

// A dict, list or tuple on the way to tensors.
struct Node {
  PickleRef ref;
  std::size_t parent;
  std::string key;  // in its parent
  int depth;
};

struct Leaf {
  std::size_t node;
  PickleRef key, value;
};

// The tree of what was saved. Each dict is visited once, at the first place where it stands.
class Tree {
 public:
  explicit Tree(const Pickle& pickle) : pickle_(pickle), seen_(pickle.value_count(), false) {}

  // Errors: kUnsupported for more than so many leaves.
  Result<void> build() {
    add(pickle_.root(), kNoParent, "", 0);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      CHORUS_TRY(visit(i));
    }
    return ok();
  }

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Leaf>& leaves() const { return leaves_; }

  bool contains(std::size_t ancestor, std::size_t node) const {
    while (node != kNoParent && node != ancestor) node = nodes_[node].parent;
    return node == ancestor;
  }

  // The keys from `ancestor` down to `node`, each with a dot behind it.
  std::string path(std::size_t ancestor, std::size_t node) const {
    std::string result;
    for (; node != ancestor; node = nodes_[node].parent) {
      result = nodes_[node].key + "." + result;
      if (result.size() > kLongestName) break;
    }
    return result;
  }

 private:
  void add(PickleRef ref, std::size_t parent, std::string key, int depth) {
    if (seen_[ref] || depth > kDeepest) return;
    seen_[ref] = true;
    nodes_.push_back({ref, parent, std::move(key), depth});
  }

  Result<void> visit(std::size_t index) {
    const Node node = nodes_[index];
    const PickleValue& value = pickle_[node.ref];
    if (!is_dict(pickle_, node.ref)) {  // a list or a tuple
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        if (is_container(value.items[i])) {
          add(value.items[i], index, fmt::format("{}", i), node.depth + 1);
        }
      }
      return ok();
    }
    for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const PickleValue& key = pickle_[value.items[i]];
      PickleRef item = value.items[i + 1];
      if (key.kind == PickleKind::kString && is_of_training(key.text)) continue;
      if (is_container(item)) {
        if (auto text = key_text(key)) add(item, index, std::move(*text), node.depth + 1);
      } else if (may_be_tensor(item)) {
        leaves_.push_back({index, value.items[i], item});
        if (leaves_.size() > kMostLeaves) {
          return Error{ErrorCode::kUnsupported,
                       fmt::format("more than {} tensors and objects", kMostLeaves)};
        }
      }
    }
    return ok();
  }

  static std::optional<std::string> key_text(const PickleValue& key) {
    if (key.kind == PickleKind::kInt) return fmt::format("{}", key.integer);
    if (key.kind == PickleKind::kString && key.text.size() <= kLongestName) {
      return std::string(key.text);
    }
    return std::nullopt;
  }

  bool is_container(PickleRef ref) const {
    PickleKind kind = pickle_[ref].kind;
    if (pickle_[ref].items.empty()) return false;
    return kind == PickleKind::kList || kind == PickleKind::kTuple || is_dict(pickle_, ref);
  }

  // Objects that are no tensors are kept under the names of weights, so that a message can say
  // what stands there.
  bool may_be_tensor(PickleRef ref) const { return pickle_[ref].kind == PickleKind::kObject; }

  const Pickle& pickle_;
  std::vector<bool> seen_;
  std::vector<Node> nodes_;
  std::vector<Leaf> leaves_;
};

// A dict in whose names GPT-2's begin.
struct Candidate {
  std::size_t node = 0;
  std::size_t size = 0;
  bool is_average = false;
  std::size_t rank = std::size(kUsualKeys);  // of its key among the usual ones
};

class Finder {
 public:
  explicit Finder(const Pickle& pickle) : pickle_(pickle), tree_(pickle) {}

  Result<StateDict> run() {
    CHORUS_TRY(tree_.build());
    StateDict result;
    std::vector<Candidate> candidates = find_candidates();
    std::size_t chosen = 0;
    if (candidates.empty()) {
      CHORUS_TRY(chosen, choose_without_names());
    } else {
      CHORUS_TRY(chosen, choose(candidates, result.notes));
    }
    CHORUS_TRY(take_items(chosen, result));
    std::size_t around = tree_.nodes()[chosen].parent;
    for (std::size_t node = around; node != kNoParent; node = tree_.nodes()[node].parent) {
      result.around.push_back(tree_.nodes()[node].ref);
    }
    if (result.around.empty()) result.around.push_back(tree_.nodes()[chosen].ref);
    return result;
  }

 private:
  // The dict below which a weight's own name begins: of "model" and "h.0.ln_1.weight" the one
  // under "model", of a dict for each module the one that has "h".
  std::vector<Candidate> find_candidates() {
    std::map<std::size_t, Candidate> by_node;
    for (const Leaf& leaf : tree_.leaves()) {
      const PickleValue& key = pickle_[leaf.key];
      if (key.kind != PickleKind::kString || !is_tensor(pickle_, leaf.value)) continue;
      std::string name(key.text);
      std::size_t node = leaf.node;
      for (int i = 0; i < kDeepestModule && tree_.nodes()[node].parent != kNoParent; ++i) {
        if (split_name(name) || name.size() > kLongestName) break;
        name = tree_.nodes()[node].key + "." + name;
        node = tree_.nodes()[node].parent;
      }
      std::optional<SplitName> split = split_name(name);
      if (!split) continue;
      Candidate& candidate = by_node[node];
      candidate.node = node;
      ++candidate.size;
      candidate.is_average = is_of_an_average(tree_.path(0, node));
      candidate.rank = rank_of(node);
    }
    std::vector<Candidate> candidates;
    for (const auto& [node, candidate] : by_node) candidates.push_back(candidate);
    return candidates;
  }

  // The rank of the best of the keys that lead to the node.
  std::size_t rank_of(std::size_t node) const {
    std::size_t best = std::size(kUsualKeys);
    for (; node != kNoParent; node = tree_.nodes()[node].parent) {
      auto found = std::ranges::find(kUsualKeys, tree_.nodes()[node].key);
      best = std::min(best, static_cast<std::size_t>(found - std::begin(kUsualKeys)));
    }
    return best;
  }

  Result<std::size_t> choose(std::vector<Candidate> candidates, std::vector<std::string>& notes) {
    auto order = [](const Candidate& candidate) {
      return std::tuple(candidate.is_average, candidate.rank, candidate.node);
    };
    std::ranges::sort(candidates, {}, order);
    Candidate best = candidates.front();
    // A head may stand one dict further out than the body.
    for (const Candidate& other : candidates) {
      if (other.is_average == best.is_average && tree_.contains(other.node, best.node)) {
        best.node = other.node;
      }
    }
    if (best.is_average) {
      notes.push_back(
          fmt::format("the weights under {} are an average (EMA or SWA), and the only "
                      "ones in the file: they are read",
                      place(best.node)));
    }
    for (const Candidate& other : candidates) {
      if (tree_.contains(best.node, other.node)) continue;
      if (other.is_average == best.is_average && other.rank == best.rank) {
        return Error{ErrorCode::kUnsupported,
                     fmt::format("weights are under both {} and {}: save the model that is meant "
                                 "alone, with torch.save(model.state_dict(), path)",
                                 place(best.node), place(other.node))};
      }
      notes.push_back(fmt::format("the weights under {} are passed over: those under {} are read",
                                  place(other.node), place(best.node)));
    }
    return best.node;
  }

  // For a file that is no GPT-2's: what its own program would call the model, else what has the
  // most tensors.
  Result<std::size_t> choose_without_names() {
    const auto& nodes = tree_.nodes();
    for (std::string_view key : kUsualKeys) {
      for (std::size_t i = 1; i < nodes.size(); ++i) {
        if (nodes[i].parent == 0 && nodes[i].key == key && has_tensors(i)) return i;
      }
    }
    std::map<std::size_t, std::size_t> sizes;
    for (const Leaf& leaf : tree_.leaves()) {
      if (is_tensor(pickle_, leaf.value)) ++sizes[leaf.node];
    }
    auto largest =
        std::ranges::max_element(sizes, {}, [](const auto& item) { return item.second; });
    if (largest == sizes.end()) return nothing_found();
    return largest->first;
  }

  bool has_tensors(std::size_t node) const {
    return std::ranges::any_of(tree_.leaves(), [&](const Leaf& leaf) {
      return tree_.contains(node, leaf.node) && is_tensor(pickle_, leaf.value);
    });
  }

  Error nothing_found() const {
    PickleRef found = pickle_.root();
    std::string where = "what was saved";
    for (std::string_view key : kUsualKeys) {
      PickleRef item =
          is_dict(pickle_, pickle_.root()) ? pickle_.find(pickle_.root(), key) : kNoPickleRef;
      if (item == kNoPickleRef || pickle_[item].kind != PickleKind::kObject) continue;
      found = item;
      where = "what was saved under " + in_quotes(key);
      break;
    }
    if (pickle_[found].kind == PickleKind::kObject && !is_dict(pickle_, found) &&
        !is_tensor(pickle_, found)) {
      return {ErrorCode::kUnsupported,
              fmt::format("{} is an object of class {}, which cannot be had without its Python "
                          "program: load it there and save its weights, with "
                          "torch.save(model.state_dict(), path)",
                          where, kind_of(pickle_, found))};
    }
    if (!is_dict(pickle_, found)) {
      return {ErrorCode::kUnsupported,
              fmt::format("what was saved is not a dict (it is {}); expected a state_dict, or a "
                          "dict with one under 'model': torch.save(model.state_dict(), path)",
                          is_tensor(pickle_, found) ? "a tensor" : kind_of(pickle_, found))};
    }
    return {ErrorCode::kUnsupported,
            "no tensors; expected a state_dict, or a dict with one under 'model': "
            "torch.save(model.state_dict(), path)"};
  }

  Result<void> take_items(std::size_t chosen, StateDict& result) {
    for (const Leaf& leaf : tree_.leaves()) {
      if (!tree_.contains(chosen, leaf.node)) continue;
      const PickleValue& key = pickle_[leaf.key];
      bool is_name = key.kind == PickleKind::kString && key.text.size() <= kLongestName;
      std::string name = tree_.path(chosen, leaf.node);
      if (is_name) name += key.text;
      if (!is_tensor(pickle_, leaf.value)) {
        // A date or a path among the weights is none; a weight of a strange class must be told of.
        if (is_name && split_name(name)) result.items.emplace_back(std::move(name), leaf.value);
        continue;
      }
      if (!is_name || name.size() > kLongestName) {
        return corrupt(
            fmt::format("{}: byte {}: a tensor whose name is not a string of at most {} "
                        "bytes",
                        pickle_.name, key.offset, kLongestName));
      }
      result.items.emplace_back(std::move(name), leaf.value);
      if (result.items.size() > kMostTensors) {
        return Error{ErrorCode::kUnsupported, fmt::format("more than {} tensors", kMostTensors)};
      }
    }
    return ok();
  }

  // "'checkpoint.model'", or "the top".
  std::string place(std::size_t node) const {
    std::string path = tree_.path(0, node);
    if (path.empty()) return "no key";
    path.pop_back();
    return in_quotes(path);
  }

  const Pickle& pickle_;
  Tree tree_;
};

}  // namespace

bool is_dict(const Pickle& pickle, PickleRef ref) {
  const PickleValue& value = pickle[ref];
  if (value.kind == PickleKind::kDict) return true;
  if (value.kind != PickleKind::kObject || is_tensor(pickle, ref)) return false;
  return callable_of(pickle, ref) == static_cast<int>(Global::kOrderedDict) || !value.items.empty();
}

PickleRef find_around(const Pickle& pickle, const StateDict& state_dict, std::string_view key) {
  for (PickleRef dict : state_dict.around) {
    PickleRef found = is_dict(pickle, dict) ? pickle.find(dict, key) : kNoPickleRef;
    if (found != kNoPickleRef) return found;
  }
  return kNoPickleRef;
}

Result<StateDict> find_state_dict(const Pickle& pickle) { return Finder(pickle).run(); }

}  // namespace chorus::checkpoint
