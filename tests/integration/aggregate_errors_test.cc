// Everything that `cairn aggregate` refuses or that can befall it: each ends with its exit code and a message that says
// what and where, and leaves nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <limits>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "tests/integration/aggregate_fixture.h"
#include "tests/integration/server_process.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

const std::vector<ModuleSpec> kModules = {{"layer.q", 12, 10, {}}, {"layer.v", 12, 10, {}}};

class AggregateErrors : public AggregateFixture {
 protected:
  void SetUp() override {
    WriteClient("c1", 1, 4, kModules);
    WriteClient("c2", 2, 4, kModules);
  }

 public:
  // Of client c2.
  void EditConfig(const std::string& from, const std::string& to) {
    const fs::path path = directory_ / "c2" / kAdapterConfigFile;
    const std::string config = ReadFile(path, limits::kMiB).value();
    const std::string edited = absl::StrReplaceAll(config, {{from, to}});
    ASSERT_NE(config, edited);
    WriteBytes(path, edited);
  }
  void Put(const std::string& name, const std::string& bytes) { WriteBytes(directory_ / name, bytes); }
  void Client(const std::string& name, std::int64_t rank, const std::vector<ModuleSpec>& modules,
              const EditFactors& edit = nullptr) {
    WriteClient(name, 7, rank, modules, edit);
  }
  void Tensors(const std::string& name, const std::map<std::string, std::vector<float>>& tensors) {
    WriteTensors(directory_ / name, tensors);
  }
  void Remove(const std::string& name) { fs::remove(directory_ / name); }
  void Pipe(const std::string& name) {
    ASSERT_EQ(::mkfifo((directory_ / name).c_str(), 0600), 0);
    written_.push_back(name);
  }
  // 100 recipients.
  void ManyRanks(const std::string& name) {
    std::string lines;
    for (int i = 0; i < 100; ++i) absl::StrAppend(&lines, "client", i, " 1\n");
    Put(name, lines);
  }
};

// Arguments are names in the test's directory where they begin with '@'.
struct Case {
  std::string name;
  std::vector<std::string> arguments;
  int exit_code;
  std::vector<std::string> says;
  std::function<void(AggregateErrors& test)> prepare = [](AggregateErrors&) {};
  std::string limit;
};
void PrintTo(const Case& error, std::ostream* out) { *out << error.name; }

class EveryError : public AggregateErrors, public ::testing::WithParamInterface<Case> {};

TEST_P(EveryError, SaysWhatAndLeavesNothing) {
  GetParam().prepare(*this);
  std::vector<std::string> arguments;
  for (const std::string& argument : GetParam().arguments) {
    arguments.push_back(absl::StrReplaceAll(argument, {{"@", In("")}}));
  }
  const Outcome outcome = Aggregate(arguments, GetParam().limit);
  EXPECT_EQ(outcome.exit_code, GetParam().exit_code) << outcome.output;
  for (const std::string& words : GetParam().says) EXPECT_THAT(outcome.output, HasSubstr(words));
  EXPECT_THAT(Leftovers(), IsEmpty());
}

std::vector<Case> UsageErrors() {
  return {
      {"no_input", {"--out", "@out"}, 2, {"INPUT"}},
      {"no_output", {"@c1"}, 2, {"--out"}},
      {"unknown_flag", {"@c1", "--out", "@out", "--sum"}, 2, {"--sum"}},
      {"examples_count", {"@c1", "@c2", "--examples", "1", "--out", "@out"}, 2, {"expected 2 numbers"}},
      {"zero_weight", {"@c1", "@c2", "--examples", "0,0", "--out", "@out"}, 2, {"total weight is zero"}},
      {"rank_0", {"@c1", "--publish", "rank=0", "--out", "@out"}, 2, {"expected a rank from 1"}},
      {"combine", {"@c1", "--combine", "magic", "--out", "@out"}, 2, {"\"magic\"; there are: ", "stack"}},
      {"threads", {"@c1", "--threads", "0", "--out", "@out"}, 2, {"--threads"}},
      {"no_such_device", {"@c1", "--device", "cuda:99", "--out", "@out"}, 2, {"--device: expected cpu", "cuda:99"}},
      {"report_in_output", {"@c1", "--out", "@out", "--report", "@out/report"}, 2, {"a file outside of --out"}},
      {"merged_without_base", {"@c1", "--publish", "merged", "--out", "@out"}, 2, {"needs --base"}},
  };
}

std::vector<Case> FileErrors() {
  return {
      {"input_not_there", {"@c1", "@c9", "--out", "@out"}, 3, {"c9", "No such file"}},
      {"no_tensors",
       {"@c1", "@c2", "--out", "@out"},
       3,
       {"adapter_model.safetensors"},
       [](AggregateErrors& test) { test.Remove("c2/adapter_model.safetensors"); }},
      {"no_config",
       {"@c1", "@c2", "--out", "@out"},
       3,
       {"adapter_config.json", "No such file"},
       [](AggregateErrors& test) { test.Remove("c2/adapter_config.json"); }},
      {"output_exists",
       {"@c1", "--out", "@there"},
       3,
       {"there already exists"},
       [](AggregateErrors& test) { test.Put("there/file", "x"); }},
      {"report_exists",
       {"@c1", "--out", "@out", "--report", "@there"},
       3,
       {"there already exists"},
       [](AggregateErrors& test) { test.Put("there", "x"); }},
      {"output_into_nowhere", {"@c1", "--out", "@no/out"}, 3, {"no/out: No such file"}},
      {"report_into_nowhere", {"@c1", "--out", "@out", "--report", "@no/report"}, 3, {"no/report: No such"}},
      {"ranks_not_there", {"@c1", "--publish", "ranks=@ranks", "--out", "@out"}, 3, {"ranks", "No such file"}},
      {"pipe",
       {"@c1", "@p.safetensors", "--out", "@out"},
       3,
       {"p.safetensors: not a regular file"},
       [](AggregateErrors& test) { test.Pipe("p.safetensors"); }},
      {"open_files",
       {"@c1", "--publish", "ranks=@ranks", "--out", "@out"},
       3,
       {"100 files have to be open", "the limit is 120"},
       [](AggregateErrors& test) { test.ManyRanks("ranks"); },
       "ulimit -n 120"},
      {"base_not_there", {"@c1", "--publish", "merged", "--base", "@base", "--out", "@out"}, 3, {"base"}},
      // As if the disk were full: a file may have 512 bytes.
      {"disk_full",
       {"@c1", "@c2", "--out", "@out"},
       3,
       {"write ", "File too large"},
       [](AggregateErrors&) {},
       "ulimit -f 1"},
  };
}

std::vector<Case> RefusedInputs() {
  return {
      {"malformed",
       {"@c1", "@c2", "--out", "@out"},
       1,
       {"c2/adapter_model.safetensors"},
       [](AggregateErrors& test) { test.Put("c2/adapter_model.safetensors", "not a file of tensors"); }},
      {"same_name",
       {"@c1", "@other/c1", "--out", "@out"},
       1,
       {"both give the client id c1"},
       [](AggregateErrors& test) { test.Client("other/c1", 4, kModules); }},
      {"bad_name",
       {"@my client", "--out", "@out"},
       1,
       {"my client", "client id"},
       [](AggregateErrors& test) { test.Client("my client", 4, kModules); }},
      {"other_dimensions",
       {"@c1", "@c3", "--out", "@out"},
       1,
       {"c3", "layer.q"},
       [](AggregateErrors& test) {
         test.Client("c3", 4, {{"layer.q", 13, 10, {}}});
       }},
      {"ranks_of_mean",
       {"@c1", "@c3", "--combine", "mean", "--out", "@out"},
       1,
       {"mean", "layer.q", "c1", "c3"},
       [](AggregateErrors& test) { test.Client("c3", 2, kModules); }},
      {"base_models",
       {"@c1", "@c2", "@c3", "--out", "@out"},
       1,
       {"different base models", "\"llama\"", "\"mistral\"", "--force"},
       [](AggregateErrors& test) {
         test.EditConfig("\"base_model_name_or_path\": null", "\"base_model_name_or_path\": \"llama\"");
         test.Client("c3", 4, kModules);
         test.Put("c3/adapter_config.json",
                  "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"target_modules\": [\"q\"], "
                  "\"base_model_name_or_path\": \"mistral\"}");
       }},
      {"task_types",
       {"@c1", "@c2", "@c3", "--out", "@out"},
       1,
       {"different task types", "\"CAUSAL_LM\"", "\"SEQ_CLS\"", "--force"},
       [](AggregateErrors& test) {
         test.EditConfig("\"task_type\": null", "\"task_type\": \"CAUSAL_LM\"");
         test.Client("c3", 4, kModules);
         test.Put("c3/adapter_config.json",
                  "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"target_modules\": [\"q\"], "
                  "\"task_type\": \"SEQ_CLS\"}");
       }},
      {"config",
       {"@c1", "@c2", "--out", "@out"},
       1,
       {"c2/adapter_config.json: r: expected an integer"},
       [](AggregateErrors& test) { test.EditConfig("\"r\": 4", "\"r\": 0"); }},
      {"stack_of_files",
       {"@t.safetensors", "--combine", "stack", "--out", "@out.safetensors"},
       1,
       {"t.safetensors: --combine stack is for LoRA adapters, and a bare file is plain tensors"},
       [](AggregateErrors& test) {
         test.Tensors("t.safetensors", {{"k", {1}}});
       }},
      {"not_finite",
       {"@c1", "@c3", "--out", "@out"},
       1,
       {"client c3", "layer.q", "nan"},
       [](AggregateErrors& test) {
         test.Client("c3", 4, kModules, [](const ModuleSpec&, std::vector<float>& a, std::vector<float>&) {
           a[1] = std::numeric_limits<float>::quiet_NaN();
         });
       }},
      {"dora",
       {"@c1", "@c2", "--out", "@out"},
       1,
       {"c2", "use_dora"},
       [](AggregateErrors& test) { test.EditConfig("\"use_dora\": false", "\"use_dora\": true"); }},
      {"lora_and_tensors",
       {"@c1", "@t", "--out", "@out"},
       1,
       {"cannot be combined with each other"},
       [](AggregateErrors& test) {
         test.Put("t/adapter_config.json", "{\"peft_type\": \"IA3\", \"target_modules\": [\"k\"]}");
         test.Tensors("t/adapter_model.safetensors", {{"k.ia3_l", {1}}});
       }},
      {"folder_and_file",
       {"@c1", "@t.safetensors", "--out", "@out"},
       1,
       {"adapter folders only, or bare files only"},
       [](AggregateErrors& test) {
         test.Tensors("t.safetensors", {{"k", {1}}});
       }},
      {"factors_without_config",
       {"@t.safetensors", "--out", "@out.safetensors"},
       1,
       {"LoRA factor", "adapter_config.json"},
       [](AggregateErrors& test) {
         test.Tensors("t.safetensors", {{"q.lora_A.weight", {1}}});
       }},
      {"file_into_folder",
       {"@t.safetensors", "--out", "@out"},
       1,
       {"ends in .safetensors"},
       [](AggregateErrors& test) {
         test.Tensors("t.safetensors", {{"k", {1}}});
       }},
      {"folder_into_file", {"@c1", "--out", "@out.safetensors"}, 1, {"expected the name of a folder"}},
      {"rank_of_tensors",
       {"@t.safetensors", "--publish", "rank=2", "--out", "@out.safetensors"},
       1,
       {"publish rank=2 is for LoRA"},
       [](AggregateErrors& test) {
         test.Tensors("t.safetensors", {{"k", {1}}});
       }},
      {"ranks_malformed",
       {"@c1", "--publish", "ranks=@ranks", "--out", "@out"},
       1,
       {"ranks", "expected `client rank [alpha]`"},
       [](AggregateErrors& test) { test.Put("ranks", "c1 zero\n"); }},
      {"overflow",
       {"@c3", "--dtype", "f16", "--out", "@out"},
       1,
       {"layer.q", "overflows F16"},
       [](AggregateErrors& test) {
         test.Client("c3", 4, kModules,
                     [](const ModuleSpec&, std::vector<float>&, std::vector<float>& b) { b[0] = 1e5F; });
       }},
      {"base_lacks_module",
       {"@c1", "--publish", "merged", "--base", "@base.safetensors", "--out", "@out"},
       1,
       {"module \"layer.q\": the base model has no tensor \"layer.q.weight\""},
       [](AggregateErrors& test) {
         test.Tensors("base.safetensors", {{"other.weight", {1}}});
       }},
  };
}

std::string NameOfCase(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Usage, EveryError, ::testing::ValuesIn(UsageErrors()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Files, EveryError, ::testing::ValuesIn(FileErrors()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Refused, EveryError, ::testing::ValuesIn(RefusedInputs()), NameOfCase);

TEST_F(AggregateErrors, ForceCombinesBaseModels) {
  EditConfig("\"base_model_name_or_path\": null", "\"base_model_name_or_path\": \"llama\"");
  Client("c3", 4, kModules);
  Put("c3/adapter_config.json",
      "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"target_modules\": [\"q\"], "
      "\"base_model_name_or_path\": \"mistral\"}");
  const Outcome outcome = Aggregate({In("c1"), In("c2"), In("c3"), "--force", "--out", In("out")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(OpenAdapterDirectory(directory_ / "out")->adapter.config.base_model, "llama");
}

TEST_F(AggregateErrors, ManyRecipientsRaiseTheLimitOfOpenFiles) {
  ManyRanks("ranks");
  const Outcome outcome =
      Aggregate({In("c1"), "--publish", "ranks=" + In("ranks"), "--out", In("out")}, "ulimit -S -n 64");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("note: not among the inputs, and served: client0, client1, "));
  EXPECT_THAT(outcome.output, HasSubstr("without an output: c1\n"));
  EXPECT_EQ(OpenAdapterDirectory(directory_ / "out" / "client99")->adapter.modules[0].rank, 1);
}

// A run that takes seconds, in its midst.
class Interrupted : public AggregateErrors {
 protected:
  void SetUp() override {
    std::vector<ModuleSpec> modules;
    for (int m = 0; m < 40; ++m) modules.push_back({absl::StrCat("layer.", 100 + m), 512, 512, {}});
    WriteClient("long", 1, 256, modules);
  }
  // Its inputs are open, and the file of its output is there.
  bool Writes() const {
    const std::vector<std::string> folders = Leftovers();
    return std::any_of(folders.begin(), folders.end(), [this](const std::string& folder) {
      return fs::exists(directory_ / folder / "content" / kAdapterModelFile);
    });
  }
  Child Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {BuiltProgram("cairn"), "aggregate", In("long"), "--publish",
                                        "energy=0.9",          "--out",     In("out")};
    command.insert(command.end(), more.begin(), more.end());
    auto child = Child::Spawn(command, directory_ / "log");
    written_.push_back("log");
    const absl::Time end = absl::Now() + absl::Seconds(10);
    while (!Writes() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(1));
    EXPECT_TRUE(Writes());
    return *std::move(child);
  }
};

TEST_F(Interrupted, BySignalLeavesNothing) {
  std::signal(SIGHUP, SIG_DFL);  // Ignored, it stays so in children.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Child child = Start();
    child.Send(signal);
    const auto code = child.Wait(absl::Seconds(20));
    ASSERT_TRUE(code.ok()) << code.status();
    EXPECT_EQ(*code, 128 + signal) << ReadFile(directory_ / "log", limits::kMiB).value_or("");
    EXPECT_THAT(Leftovers(), IsEmpty());
  }
}

TEST_F(Interrupted, ByAnInputThatShrinksLeavesNothing) {
  Child child = Start();
  fs::resize_file(directory_ / "long" / kAdapterModelFile, 100'000);
  const auto code = child.Wait(absl::Seconds(20));
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, 3);
  EXPECT_THAT(ReadFile(directory_ / "log", limits::kMiB).value_or(""), HasSubstr("an input file became shorter"));
  EXPECT_THAT(Leftovers(), IsEmpty());
}

TEST_F(Interrupted, AReportThatAppearedMeanwhileStays) {
  const std::string report = In("report.json");
  Child child = Start({"--report", report});
  Put("report.json", "mine");
  const auto code = child.Wait(absl::Seconds(120));
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, 3);
  EXPECT_EQ(ReadFile(report, 100).value_or(""), "mine");
  EXPECT_THAT(Leftovers(), IsEmpty());
}

TEST_F(Interrupted, WhatAKilledRunLeftTheNextOneRemoves) {
  Start().Kill();
  EXPECT_THAT(Leftovers(), ::testing::SizeIs(1));
  const Outcome outcome = Aggregate({In("long"), "--out", In("out")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(Leftovers(), ::testing::ElementsAre("out"));
}

}  // namespace
}  // namespace cairn::testing
