#include "aggregators/lowrank_functions.h"

extern "C" const cairn::LowRankFunctions* cairn_lowrank_functions() {
  namespace kernels = cairn::kernels;
  static const cairn::LowRankFunctions functions = {
      .add_product = kernels::AddProduct,
      .norm_of_sum = kernels::NormOfSum,
      .norm_of = kernels::NormOf,
      .unit_inner_products = kernels::UnitInnerProducts,
      .inner_products = kernels::InnerProducts,
      .formed_inner_products = kernels::FormedInnerProducts,
      .orthonormalized = kernels::Orthonormalized,
      .nearest_b = kernels::NearestB,
      .check_device = kernels::CheckDevice,
      .recompress_floats = kernels::Recompress,
      .recompress_doubles = kernels::Recompress,
      .symmetric_eigen = kernels::SymmetricEigen,
      .recompress_rows = kernels::RecompressRows,
      .set_threads = kernels::SetThreads,
  };
  return &functions;
}
