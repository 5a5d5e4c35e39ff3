// What the module libcairn_lowrank.so offers: the kernels that need libtorch. Everybody else calls them by their own
// names; aggregators/lowrank.cc loads the module when one is called for the first time. So a program that never
// decomposes or multiplies matrices (a server that stacks, `cairn status`) neither waits for libtorch nor holds its 140
// MB.
#pragma once

#include "aggregators/kernels/add_product.h"
#include "aggregators/kernels/factor_gram.h"
#include "aggregators/kernels/orthonormal.h"
#include "aggregators/kernels/product.h"
#include "aggregators/kernels/recompress.h"
#include "aggregators/kernels/recompress_rows.h"
#include "aggregators/kernels/ridge.h"
#include "aggregators/kernels/streamed_product.h"
#include "aggregators/kernels/symmetric_eigen.h"
#include "aggregators/kernels/threads.h"

namespace cairn {

struct LowRankFunctions {
  decltype(&kernels::AddProduct) add_product;
  decltype(&kernels::NormOfSum) norm_of_sum;
  decltype(&kernels::NormOf) norm_of;
  decltype(&kernels::UnitInnerProducts) unit_inner_products;
  decltype(&kernels::InnerProducts) inner_products;
  decltype(&kernels::FormedInnerProducts) formed_inner_products;
  decltype(&kernels::Orthonormalized) orthonormalized;
  decltype(&kernels::NearestB) nearest_b;
  decltype(&kernels::CheckDevice) check_device;
  absl::StatusOr<kernels::LowRank> (*recompress_floats)(const kernels::FactorPair<float>&, const kernels::Cut&,
                                                        const std::string&);
  absl::StatusOr<kernels::LowRank> (*recompress_doubles)(const kernels::FactorPair<double>&, const kernels::Cut&,
                                                         const std::string&);
  decltype(&kernels::SymmetricEigen) symmetric_eigen;
  decltype(&kernels::RecompressRows) recompress_rows;
  decltype(&kernels::SetThreads) set_threads;
};

}  // namespace cairn

// The module's one symbol.
extern "C" const cairn::LowRankFunctions* cairn_lowrank_functions();
