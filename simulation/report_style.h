// The style sheet of the report. Only characters that need no escape in XHTML.
#pragma once

namespace cairn {

inline constexpr int kReportColours = 8;  // --series-0 and on, below. --heat-0 and on: simulation/grid/heat_map.h.

inline constexpr char kReportStyle[] = R"css(
:root { color-scheme: light dark; --ink: #1c2128; --soft: #5d6773; --paper: #ffffff; --rule: #d8dde3; --good: #14713d;
  --bad: #a8321f; --series-0: #7a828c; --series-1: #c4661f; --series-2: #1f6fb4; --series-3: #6f4bb0;
  --series-4: #2a8a57; --series-5: #b03a6b; --series-6: #8a6d1a; --series-7: #2f7f8f;
  --heat-0: #86bce8; --heat-1: #a3cdee; --heat-2: #bedcf3; --heat-3: #d5e8f7; --heat-4: #e6f0f9; --heat-5: #f2f5f8;
  --heat-6: #fbdcc0; --heat-7: #f5b183; --heat-8: #ea8d76; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ed; --soft: #98a2ae; --paper: #14171b; --rule: #333a43;
  --good: #62c98c; --bad: #f08a76; --series-0: #a5adb8; --series-1: #f0a060; --series-2: #62aef0; --series-3: #b498f0;
  --series-4: #62c98c; --series-5: #f08ab4; --series-6: #d6b655; --series-7: #6cc5d6;
  --heat-0: #1d5c94; --heat-1: #21527f; --heat-2: #24496b; --heat-3: #263f58; --heat-4: #263545; --heat-5: #252b33;
  --heat-6: #5a3d20; --heat-7: #83491c; --heat-8: #8f2f25; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; padding: 0 1rem; max-width: 70rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0 .75rem; color: var(--soft); max-width: 50rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child { text-align: left; } thead th { color: var(--soft); font-weight: 600; }
.mean th, .mean td { border-bottom: 0; font-weight: 700; }
.better { color: var(--good); } .worse { color: var(--bad); } small { opacity: .75; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .5rem; border: 1px solid var(--rule); border-radius: .5rem; }
svg { width: 100%; height: auto; display: block; font-family: inherit; }
.title { font-size: 13px; font-weight: 600; fill: var(--ink); } .tick { font-size: 10px; fill: var(--soft); }
.grid { stroke: var(--rule); stroke-width: 1; } .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.legend span { display: inline-block; margin-right: 1.2rem; } .legend i { display: inline-block; width: 1rem; height: .25rem; margin-right: .4rem;
  vertical-align: middle; border-radius: .1rem; }
.heat { stroke: var(--rule); } .value { font-size: 13px; fill: var(--ink); } .note { font-size: 9px; fill: var(--ink); }
.scale i { width: 1.6rem; height: 1rem; margin: 0 .1rem 0 0; border: 1px solid var(--rule); }
details { margin: .5rem 0; } summary { cursor: pointer; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 0; } dt { color: var(--soft); }
dd { margin: 0; }
)css";

}  // namespace cairn
