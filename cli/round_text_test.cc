#include "cli/round_text.h"

#include <gtest/gtest.h>

#include "cli/status.h"

namespace cairn {
namespace {

v1::RoundInfo Info() {
  v1::RoundInfo info;
  info.set_federation("licenses");
  info.set_combine("svd");
  info.set_rule("examples");
  info.set_publish("widest");
  info.set_relative_error(0.03125);
  info.set_round(2);
  info.set_rounds_total(3);
  info.set_phase(v1::ROUND_PHASE_OPEN);
  info.set_version(1);
  info.set_waiting_for("1 of 2; client-2 at 63 %");
  v1::ClientProgress& done = *info.add_clients();
  done.set_client("client-1");
  done.set_state(v1::ClientProgress::STATE_CONTRIBUTED);
  done.set_bytes_received(100);
  done.set_bytes_total(100);
  v1::ClientProgress& idle = *info.add_clients();
  idle.set_client("client-2");
  idle.set_state(v1::ClientProgress::STATE_JOINED);
  return info;
}

TEST(RoundTextTest, StatusIsALineAFederation) {
  v1::StatusReply reply;
  *reply.add_rounds() = Info();
  reply.set_memory_used_bytes(1 << 20);
  reply.set_memory_budget_bytes(352 << 20);
  EXPECT_EQ(FormatStatus(reply),
            "federation  combine  rule      publish  round  phase  version  error  waiting for\n"
            "licenses    svd      examples  widest   2/3    open   1        0.031  1 of 2; client-2 at 63 %\n"
            "memory: 1.0 of 352.0 MiB of updates\n");
}

TEST(RoundTextTest, AnErrorThatIsNotKnownIsADash) {
  v1::StatusReply reply;
  *reply.add_rounds() = Info();
  reply.mutable_rounds(0)->clear_relative_error();
  EXPECT_NE(FormatStatus(reply).find(" 1        -      1 of 2"), std::string::npos) << FormatStatus(reply);
}

TEST(RoundTextTest, ClientsAreALineEach) {
  EXPECT_EQ(FormatClients(Info()),
            "\n"
            "licenses:  state        received\n"
            "client-1   contributed  100 %\n"
            "client-2   joined       -\n");
}

v1::RoundInfo InfoWithOutcomes() {
  v1::RoundInfo info = Info();
  v1::ClientOutcome& good = *info.add_outcomes();
  good.set_client("client-1");
  good.set_weight(1);
  good.set_distance(0.015625);
  good.set_cosine(0.99995);
  good.set_accepted(true);
  v1::ClientOutcome& late = *info.add_outcomes();
  late.set_client("late");
  late.set_weight(3.25e-5);
  late.set_accepted(true);
  v1::ClientOutcome& liar = *info.add_outcomes();
  liar.set_client("mallory");
  liar.set_distance(123456.7);
  liar.set_reason("krum score 12.3, above the chosen 4.1");
  return info;
}

TEST(RoundTextTest, OutcomesAreALineEach) {
  v1::RoundInfo info = InfoWithOutcomes();
  const std::string table =
      "\n"
      "licenses version 1:  weight    distance   cosine  reason\n"
      "client-1             1         0.01562    1\n"
      "late                 3.25e-05  -          -\n"
      "mallory              0         1.235e+05  -       krum score 12.3, above the chosen 4.1\n";
  EXPECT_EQ(FormatOutcomes(info), table);
  info.set_outcomes_left_out(7);
  EXPECT_EQ(FormatOutcomes(info), table + "and 7 more\n");
}

TEST(RoundTextTest, ThoseVotedDownAreALineEach) {
  EXPECT_EQ(FormatVotedDown(InfoWithOutcomes()), "    mallory: krum score 12.3, above the chosen 4.1\n");
  EXPECT_EQ(FormatVotedDown(Info()), "");
}

TEST(RoundTextTest, TheMethodIsOneLine) {
  EXPECT_EQ(FormatMethod(Info()), "licenses: combine svd, rule examples, publish widest");
}

TEST(RoundTextTest, ARoundWithoutEndHasNoTotal) {
  v1::RoundInfo info = Info();
  info.set_rounds_total(0);
  EXPECT_EQ(RoundNumber(info), "2");
}

TEST(RoundTextTest, AnEventSaysWhoAndWhy) {
  v1::RoundEvent event;
  event.set_kind(v1::RoundEvent::KIND_REJECTED);
  *event.mutable_info() = Info();
  event.set_client("client-2");
  event.set_detail("NaN");
  const std::string line = FormatEvent(event);
  EXPECT_NE(line.find("round 2/3    rejected     client-2  NaN  |  1 of 2; client-2 at 63 %"), std::string::npos)
      << line;
}

}  // namespace
}  // namespace cairn
