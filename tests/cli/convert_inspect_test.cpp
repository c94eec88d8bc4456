#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "support/run.h"
#include "support/safetensors_writer.h"
#include "support/scratch_folder.h"

namespace chorus::cli {
namespace {

namespace json = boost::json;
using test::run_chorus;
using test::RunResult;
using test::ScratchFolder;
using testing::HasSubstr;

// A Hugging Face folder of the tiny model.
void write_model(const ScratchFolder& folder, const test::FileTensors& tensors) {
  folder.write("config.json", test::tiny_config());
  folder.write("model.safetensors", test::safetensors_file(tensors));
}

json::object inspect(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {"inspect", "--json"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  RunResult result = run_chorus(command);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.exit_code == 0 ? json::parse(result.out).as_object() : json::object();
}

TEST(Inspect, JsonSaysWhatTheModelIs) {
  ScratchFolder folder;
  write_model(folder, test::tiny_gpt2());
  json::object model = inspect({folder.path()});
  EXPECT_EQ(model.at("path"), json::value(folder.path()));
  EXPECT_EQ(model.at("format"), json::value("huggingface"));
  EXPECT_EQ(model.at("config").at("block_size"), json::value(4));
  EXPECT_EQ(model.at("config").at("activation_function"), json::value("gelu_new"));
  EXPECT_TRUE(model.at("step").is_null());
  EXPECT_TRUE(model.at("val_loss").is_null());
  EXPECT_EQ(model.at("parameters"), json::value(536));
  EXPECT_EQ(model.at("dtypes"), (json::value{"f32"}));
  EXPECT_EQ(model.at("tensors").as_array().size(), 28u);
  EXPECT_FALSE(model.contains("nonfinite"));
  const json::value& first = model.at("tensors").at(0);
  EXPECT_EQ(first,
            (json::value{{"name", "h.0.attn.c_attn.bias"}, {"shape", {12}}, {"dtype", "f32"}}));
}

TEST(Inspect, TextHasTheFiguresAndATable) {
  ScratchFolder folder;
  write_model(folder, test::tiny_gpt2());
  RunResult result = run_chorus({"inspect", folder.path()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              HasSubstr("\nn_layer                          2              (stated)\n"));
  EXPECT_THAT(result.out, HasSubstr("\nvalidation loss                  not stated\n"));
  EXPECT_THAT(result.out, HasSubstr("\nparameters                       536\n"));
  EXPECT_THAT(result.out, HasSubstr("\nh.1.mlp.c_proj.weight   [4, 16]  f32\n"));
  EXPECT_EQ(result.err, "");
}

constexpr const char* kOpenConfig =
    R"({"model_type": "gpt2", "n_positions": 4, "vocab_size": 6, "n_layer": 2, "n_head": 2,
        "n_embd": 4})";

TEST(Inspect, WhatTheFileLeavesOpenIsSaidAndMarked) {
  ScratchFolder folder, target;
  write_model(folder, test::tiny_gpt2());
  folder.write("config.json", kOpenConfig);
  const std::string note =
      "chorus: note: activation_function is not stated: gelu_new (tanh), as transformers";
  json::object model = inspect({folder.path()});
  EXPECT_EQ(model.at("sources").at("n_head"), json::value("stated"));
  EXPECT_EQ(model.at("sources").at("activation_function"), json::value("of its kind"));
  EXPECT_EQ(model.at("notes").as_array().size(), 1u);
  std::string out = target.file("out.safetensors");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"inspect", folder.path()},
        {"convert", folder.path(), out},
        {"score", "--model", folder.path(), "--ids", "1,2"},
        {"generate", "--model", folder.path(), "--prompt-ids", "1", "--max-length", "2",
         "--json"}}) {
    RunResult result = run_chorus(command);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr(note)) << command[0];
  }
}

TEST(Inspect, TheActivationOfTheOptionIsUsedShownAndWrittenDown) {
  ScratchFolder folder, target;
  write_model(folder, test::tiny_gpt2());
  folder.write("config.json", kOpenConfig);
  json::object model = inspect({folder.path(), "--activation", "relu"});
  EXPECT_EQ(model.at("config").at("activation_function"), json::value("relu"));
  EXPECT_EQ(model.at("sources").at("activation_function"), json::value("option"));
  std::string out = target.file("out.safetensors");
  EXPECT_EQ(run_chorus({"convert", folder.path(), out, "--activation", "gelu"}).exit_code, 0);
  EXPECT_EQ(inspect({out}).at("config").at("activation_function"), json::value("gelu"));
  EXPECT_EQ(inspect({out}).at("sources").at("activation_function"), json::value("stated"));
  EXPECT_EQ(inspect({out}).at("origin"), json::value("transformers"));
  std::vector<std::string> score = {"score", "--ids", "1,2,3", "--json", "--model"};
  auto with = [&score](std::vector<std::string> more) {
    more.insert(more.begin(), score.begin(), score.end());
    return run_chorus(more).out;
  };
  EXPECT_EQ(with({folder.path(), "--activation", "gelu"}), with({out}));
  EXPECT_NE(run_chorus({"inspect", out, "--activation", "silu"}).exit_code, 0);
}

TEST(Inspect, TheSummaryComesLastBehindTheLayers) {
  ScratchFolder folder;
  write_model(folder, test::tiny_gpt2());
  std::string out = run_chorus({"inspect", "--model", folder.path()}).out;
  std::size_t tensors = out.find("h.1.mlp.c_proj.weight"), layers = out.find("h.1  "),
              summary = out.find("parameters                       536");
  EXPECT_LT(tensors, layers);
  EXPECT_LT(layers, summary);
  EXPECT_NE(summary, std::string::npos);
  EXPECT_THAT(out, HasSubstr("h.1         12              244\n"));
}

TEST(Inspect, WhatCannotBeOpenedIsListedWithWhatIsMissing) {
  ScratchFolder folder;
  test::FileTensors tensors = test::tiny_gpt2();
  tensors.erase("h.1.ln_2.weight");
  tensors.erase("wpe.weight");
  tensors["score.weight"] = test::counting({2, 4}, 0);
  tensors["h.0.attn.c_attn.bias"] = {"I64", {12}, std::string(96, '\0')};
  std::string lone = folder.write("lone.safetensors", test::safetensors_file(tensors));
  json::object alone = inspect({lone});
  EXPECT_THAT(std::string(alone.at("problem").as_string()), HasSubstr("without a config"));
  write_model(folder, tensors);
  json::object listed = inspect({folder.path()});
  EXPECT_THAT(std::string(listed.at("problem").as_string()), HasSubstr("missing tensor"));
  EXPECT_EQ(listed.at("missing"), (json::value{"h.1.ln_2.weight", "wpe.weight"}));
  EXPECT_EQ(listed.at("unexpected"), (json::value{"score.weight"}));
  EXPECT_EQ(listed.at("dtypes"), (json::value{"I64", "f32"}));
  EXPECT_EQ(listed.at("tensors").as_array().size(), tensors.size());
  RunResult result = run_chorus({"inspect", folder.path()});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("missing (2)\n  h.1.ln_2.weight\n  wpe.weight\n"));
  EXPECT_THAT(result.out, HasSubstr("\ncannot be opened                 " + folder.path()));
}

TEST(Inspect, WeightsAreReadOnlyOnRequest) {
  ScratchFolder folder;
  test::FileTensors tensors = test::tiny_gpt2();
  tensors["wpe.weight"].bytes.replace(5 * 4, 4, std::string("\0\0\x80\x7f", 4));
  write_model(folder, tensors);
  EXPECT_FALSE(inspect({folder.path()}).contains("nonfinite"));
  EXPECT_EQ(inspect({folder.path(), "--check"}).at("nonfinite"),
            json::value("wpe.weight[1, 1] is inf"));
}

TEST(Convert, WritesTheTypeAskedForAndSaysWhatItWrote) {
  ScratchFolder folder, target;
  write_model(folder, test::tiny_gpt2());
  std::string out = target.file("out.safetensors");
  for (const char* dtype : {"f32", "bf16", "f16"}) {
    RunResult result = run_chorus({"convert", folder.path(), out, "--dtype", dtype});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr("Wrote " + out + ": 28 tensors, 536 parameters, "));
    EXPECT_EQ(inspect({out}).at("dtypes"), (json::value{dtype}));
  }
  RunResult kept = run_chorus({"convert", out, target.file("again")});
  EXPECT_EQ(kept.exit_code, 0) << kept.err;
  EXPECT_EQ(test::read_file(out), test::read_file(target.file("again")));
}

TEST(Convert, QuantisedFilesGiveTheTextOfQuantisingWhileLoading) {
  ScratchFolder folder, target;
  write_model(folder, test::tiny_gpt2());
  for (const char* dtype : {"int8", "int4"}) {
    std::string out = target.file(dtype);
    RunResult result = run_chorus({"convert", folder.path(), out, "--dtype", dtype});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr(std::string(" bytes, ") + dtype + "\n"));
    auto score = [](std::vector<std::string> options) {
      options.insert(options.begin(), {"score", "--json", "--ids", "1,5,2", "--model"});
      RunResult scored = run_chorus(options);
      EXPECT_EQ(scored.exit_code, 0) << scored.err;
      return scored.out;
    };
    EXPECT_EQ(score({out}), score({folder.path(), "--dtype", dtype}));
    json::object model = inspect({out, "--check"});
    EXPECT_EQ(model.at("parameters"), json::value(536));
    EXPECT_TRUE(model.at("nonfinite").is_null());
    EXPECT_EQ(model.at("tensors").at(0).at("dtype"), json::value("f32"));
    EXPECT_EQ(
        model.at("tensors").at(1),
        (json::value{{"name", "h.0.attn.c_attn.weight"}, {"shape", {12, 4}}, {"dtype", dtype}}));
  }
  RunResult refused =
      run_chorus({"convert", target.file("int8"), target.file("out"), "--dtype", "f32"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("holds int8 weights; convert the original to f32"));
  RunResult held =
      run_chorus({"score", "--ids", "1,2", "--dtype", "bf16", "--model", target.file("int8")});
  EXPECT_EQ(held.exit_code, 1);
  EXPECT_THAT(held.err, HasSubstr("holds int8 weights, which cannot be held as bf16"));
}

TEST(Convert, RefusesToReplaceItsInput) {
  ScratchFolder folder;
  write_model(folder, test::tiny_gpt2());
  std::string file = folder.file("model.safetensors");
  std::string before = test::read_file(file);
  std::filesystem::create_symlink(file, folder.file("link"));
  for (const auto& [in, out] : {std::pair(file, file), std::pair(folder.path(), file),
                                std::pair(file, folder.file("link"))}) {
    RunResult result = run_chorus({"convert", in, out});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("would replace the checkpoint"));
  }
  EXPECT_EQ(test::read_file(file), before);
}

TEST(Convert, NonfiniteWeightsAreNamedAndPassOnlyOnRequest) {
  ScratchFolder folder, target;
  test::FileTensors tensors = test::tiny_gpt2();
  tensors["ln_f.bias"].bytes.replace(3 * 4, 4, std::string("\0\0\xc0\x7f", 4));
  write_model(folder, tensors);
  std::string out = target.file("out");
  RunResult refused = run_chorus({"convert", folder.path(), out});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("ln_f.bias[3] is nan (--allow-nonfinite"));
  EXPECT_EQ(target.file_count(), 0u);
  RunResult allowed =
      run_chorus({"convert", folder.path(), out, "--allow-nonfinite", "--dtype", "f16"});
  EXPECT_EQ(allowed.exit_code, 0) << allowed.err;
  EXPECT_EQ(inspect({out, "--check"}).at("nonfinite"), json::value("ln_f.bias[3] is nan"));
}

TEST(Convert, AnUnknownTypeIsAUsageError) {
  EXPECT_NE(run_chorus({"convert", "a", "b", "--dtype", "int7"}).exit_code, 0);
}

}  // namespace
}  // namespace chorus::cli
