/** How the status page looks: one stylesheet, light and dark, on a phone and on a wall. */

export const statusStyle = `
:root { color-scheme: light dark; --ink: #1c2430; --dim: #566173; --paper: #f6f7f9; --card: #fff; --line: #d9dee6; --accent: #2f6f5e; --bad: #a8231c; --bad-paper: #fdecea }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --dim: #a3adbb; --paper: #14181e; --card: #1c222b; --line: #323b48; --accent: #6cc5ab; --bad: #ff9b93; --bad-paper: #3a1d1b }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
h1 { margin: 0; font-size: 1.5rem }
h2 { margin: 1.5rem 0 .5rem; font-size: 1.1rem }
header p, dd span, caption, summary { color: var(--dim) }
a { color: var(--accent) }
.well { color: var(--accent); font-weight: 600 }
.trouble { margin: .75rem 0; padding: .25rem 1rem; border-left: 4px solid var(--bad); background: var(--bad-paper); color: var(--bad) }
pre { white-space: pre-wrap; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 0 }
dl div, svg, .wide { border: 1px solid var(--line); border-radius: 6px; background: var(--card) }
dl div { padding: .75rem 1rem }
dt { font-weight: 600 }
dd { margin: 0 }
dd strong { display: block; font-size: 1.6rem; line-height: 1.3; font-variant-numeric: tabular-nums }
dd span, caption, summary { font-size: .875rem }
svg { display: block; width: 100%; max-width: 44rem; height: auto; padding: .5rem }
svg rect { fill: var(--accent) }
svg line { stroke: var(--line) }
svg text { fill: var(--dim); font-size: 10px; font-variant-numeric: tabular-nums }
@media (max-width: 40rem) { svg text { font-size: 18px } }
details { margin-top: .5rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
caption { padding: .5rem .75rem; text-align: left }
th, td { padding: .35rem .75rem; border-top: 1px solid var(--line); text-align: left; vertical-align: top }
th { font-weight: 600 }
tbody th, code { overflow-wrap: anywhere }
tbody th { min-width: 9rem }
td code { display: inline-block; min-width: 12rem }
.number { text-align: right; font-variant-numeric: tabular-nums }
`
