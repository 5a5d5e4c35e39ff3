#include "aggregators/kernels/terms_at_once.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "aggregators/kernels/window_sum.h"

namespace cairn::kernels {
namespace {

using Sums = std::vector<std::int64_t>;

struct Client {
  std::vector<float> values;
  double factor = 1;
};

std::vector<ClientTerms> TermsOf(const std::vector<Client>& clients) {
  std::vector<ClientTerms> terms;
  for (const Client& client : clients) terms.push_back({client.values.data(), client.factor});
  return terms;
}

// The slow twin, by definition: rounded products, one client and one element after the other.
Sums Twin(const std::vector<Client>& clients, int window, bool fresh, Sums sum) {
  if (fresh) std::fill(sum.begin(), sum.end(), 0);
  for (const Client& client : clients) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const double term = client.factor * client.values[i];
      sum[i] += static_cast<std::int64_t>(std::nearbyint(std::ldexp(term, 32 - 16 * window)));
    }
  }
  return sum;
}

float GreatestOf(const Client& client) {
  float greatest = 0;
  for (const float x : client.values) greatest = std::max(greatest, std::abs(x));
  return greatest;
}

constexpr float kTiny = std::numeric_limits<float>::denorm_min();
constexpr float kHuge = std::numeric_limits<float>::max();

// Of magnitude 2^exponent, less, much less, or nothing.
float Value(std::mt19937_64& random, int exponent) {
  switch (random() % 8) {
    case 0:
      return random() % 2 == 0 ? 0.0f : -0.0f;
    case 1:
      return kTiny * static_cast<float>(random() % 5) * (random() % 2 == 0 ? 1 : -1);
    case 2:
      exponent -= static_cast<int>(random() % 40);
      break;
    default:
      break;
  }
  return static_cast<float>(std::ldexp(static_cast<double>(random() >> 11) * 0x1p-52 - 1, exponent));
}

// All of them in `window`.
std::vector<Client> ClientsIn(std::mt19937_64& random, int window, std::size_t size) {
  std::vector<Client> clients(1 + random() % kTermsAtOnce);
  for (Client& client : clients) {
    const int value = static_cast<int>(random() % 277) - 149;  // float32's exponents.
    const int factor = 16 * window + 15 - value;
    client.factor = std::ldexp(1 - static_cast<double>(random() % 1000) / 2001, std::clamp(factor, -1070, 1023));
    if (random() % 2 == 0) client.factor = -client.factor;
    for (std::size_t i = 0; i < size; ++i) client.values.push_back(Value(random, value));
    const double greatest = std::abs(client.factor) * GreatestOf(client);
    if (greatest > 0 && (!std::isfinite(greatest) || WindowOf(greatest) != window)) {
      client = {std::vector<float>(size, 0), 1};
    }
  }
  return clients;
}

Sums SumsBefore(std::mt19937_64& random, std::size_t size) {
  Sums sums(size);
  for (std::int64_t& sum : sums) sum = static_cast<std::int64_t>(random()) >> 3;
  return sums;
}

class TermsAtOnce : public ::testing::TestWithParam<Vectors> {
 protected:
  void SetUp() override {
    if (GetParam() > WidestVectors()) GTEST_SKIP() << "this processor does not have them";
  }
};
INSTANTIATE_TEST_SUITE_P(Processors, TermsAtOnce, ::testing::Values(Vectors::kPlain, Vectors::kAvx2, Vectors::kAvx512));

TEST_P(TermsAtOnce, GiveTheTwinsSumsAndMagnitudes) {
  std::mt19937_64 random(1);
  int other_than_zero = 0;
  for (int trial = 0; trial < 20'000; ++trial) {
    const int window = kWindowMin + static_cast<int>(random() % (kWindowMax - kWindowMin + 1));
    const std::size_t size = random() % 70;
    const bool fresh = random() % 4 == 0;
    const std::vector<Client> clients = ClientsIn(random, window, size);
    Sums sum = SumsBefore(random, size);
    const Sums expected = Twin(clients, window, fresh, sum);
    const auto greatest = AddTermsAtOnce(TermsOf(clients), window, fresh, absl::MakeSpan(sum), GetParam());
    ASSERT_EQ(sum, expected) << trial << " window " << window << " factor " << clients[0].factor;
    for (std::size_t k = 0; k < clients.size(); ++k) {
      ASSERT_EQ(greatest[k], GreatestOf(clients[k])) << trial;
      if (greatest[k] > 0) ++other_than_zero;
    }
  }
  EXPECT_GT(other_than_zero, 10'000);
}

TEST_P(TermsAtOnce, TheEndsOfFactorsAndValues) {
  struct Case {
    float value;
    double factor;
  };
  for (const auto& [value, factor] : {Case{kTiny, 1e-300}, Case{kTiny, 0x1p1023}, Case{kHuge, 5e-324},
                                      Case{kHuge, 0x1p895}, Case{1, 5e-324}, Case{kTiny, 1}, Case{kHuge, 1}}) {
    const std::vector<Client> clients(3, Client{std::vector<float>(19, value), factor});
    const double greatest = factor * value;
    const int window = greatest == 0 ? kWindowMin : WindowOf(greatest);
    Sums sum(19, 7);
    const Sums expected = Twin(clients, window, false, sum);
    AddTermsAtOnce(TermsOf(clients), window, false, absl::MakeSpan(sum), GetParam());
    EXPECT_EQ(sum, expected) << value << " " << factor;
  }
}

TEST_P(TermsAtOnce, WhateverWasAddedIsTakenBack) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  std::mt19937_64 random(2);
  for (int trial = 0; trial < 5'000; ++trial) {
    const std::size_t size = 1 + random() % 70;
    std::vector<Client> clients = ClientsIn(random, static_cast<int>(random() % 100) - 50, size);
    const int guess = kWindowMin + static_cast<int>(random() % (kWindowMax - kWindowMin + 1));
    if (random() % 2 == 0) clients[0].values[random() % size] = random() % 2 == 0 ? kNan : -kInfinity;
    const Sums before = SumsBefore(random, size);
    Sums sum = before, plain = before;
    const auto greatest = AddTermsAtOnce(TermsOf(clients), guess, false, absl::MakeSpan(sum), GetParam());
    AddTermsAtOnce(TermsOf(clients), guess, false, absl::MakeSpan(plain), Vectors::kPlain);
    ASSERT_EQ(sum, plain) << trial;
    const auto finite = [](float x) { return std::isfinite(x); };
    ASSERT_EQ(std::isfinite(greatest[0]), std::all_of(clients[0].values.begin(), clients[0].values.end(), finite));
    for (const ClientTerms& client : TermsOf(clients)) TakeBack(client, guess, absl::MakeSpan(sum));
    ASSERT_EQ(sum, before) << trial;
  }
}

}  // namespace
}  // namespace cairn::kernels
