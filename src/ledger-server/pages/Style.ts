/**
 * How the pages look: one stylesheet, light and dark by the visitor's preference, readable without it.
 */
export const style = `
:root { color-scheme: light dark; --ink: #16202b; --soft: #55626f; --line: #dfe5ea; --paper: #f6f8fa; --card: #fff;
  --accent: #1f5fbf; --good: #146c43; --good-paper: #dff3e7; --bad: #a4161a; --bad-paper: #fde4e4; --bar: #4a86d8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf2; --soft: #a3b0bc; --line: #2b3642; --paper: #10161c; --card: #18212a;
  --accent: #8ab8ff; --good: #7ee2a8; --good-paper: #143524; --bad: #ff9a9a; --bad-paper: #46191b; --bar: #5f9bea; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header { background: var(--card); border-bottom: 1px solid var(--line); padding: .8rem 1.5rem; display: flex; gap: 1.5rem; align-items: baseline; flex-wrap: wrap; }
header strong { font-size: 1.05rem; letter-spacing: .02em; }
header a { color: var(--soft); text-decoration: none; }
header a:hover, a:hover { text-decoration: underline; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: .8rem; text-transform: uppercase; letter-spacing: .06em; color: var(--soft); margin: 0 0 .6rem; font-weight: 600; }
a { color: var(--accent); }
a:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
code, pre { font: .86em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 6px; padding: .8rem; margin: 0; white-space: pre-wrap; max-height: 24rem; overflow: auto; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); margin-bottom: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem; margin-bottom: 1rem; }
.cards .card { margin-bottom: 0; }
.number { font-size: 1.9rem; font-weight: 650; line-height: 1.2; }
.soft { color: var(--soft); }
form { display: flex; flex-wrap: wrap; gap: .8rem; align-items: end; }
label { display: grid; gap: .2rem; font-size: .82rem; color: var(--soft); }
input, select, button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--soft); border-radius: 6px; padding: .35rem .6rem; }
button { background: var(--accent); border-color: var(--accent); color: var(--card); font-weight: 600; cursor: pointer; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-size: .78rem; color: var(--soft); font-weight: 600; }
th, td { padding: .45rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
tbody tr:hover { background: var(--paper); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.badge { display: inline-block; border-radius: 99px; padding: .05rem .6rem; font-size: .78rem; font-weight: 650; }
.good { color: var(--good); background: var(--good-paper); }
.bad { color: var(--bad); background: var(--bad-paper); }
.verdict { border-radius: 10px; padding: 1rem 1.2rem; margin-bottom: 1rem; font-size: 1.1rem; font-weight: 600; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
svg .bar { fill: var(--bar); }
svg .box { fill: var(--paper); stroke: var(--line); }
svg .here { stroke: var(--accent); stroke-width: 2; }
svg .link { stroke: var(--soft); stroke-width: 1.5; }
svg .cut { stroke: var(--bad); stroke-dasharray: 4 4; }
.mix { display: grid; gap: .6rem; }
.mix .row { display: grid; gap: .15rem; }
.o0 { fill: #2f7d55; } .o1 { fill: #b3362d; } .o2 { fill: #b37a00; } .o3 { fill: #4a86d8; } .o4 { fill: #7a5bb5; } .o5 { fill: #7b8794; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem .9rem; font-size: .8rem; color: var(--soft); }
.legend svg { display: inline; width: .7rem; height: .7rem; margin-right: .3rem; }
`
