// Runs the golden scripts in `scripts/` and compares what the world showed with what they say. UPDATE=1 writes it
// instead.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { runScript } from '../support/raft-script.ts'

// Compiled tests run from build/test/raft; the scripts are not compiled.
const folder = new URL('../../../test/raft/scripts/', import.meta.url)

for (const name of readdirSync(folder).sort()) {
  const text = readFileSync(new URL(name, folder), 'utf8')
  // A script that tells a history says so in its opening comment.
  const histories = text.slice(0, text.indexOf('\n\n')).match(/\bH\d+\b/g) ?? []
  t.test([...new Set(histories), name.replace('.txt', '').replaceAll('-', ' ')].join(' '), async (t) => {
    const shown = runScript(text)
    t.equal(runScript(text), shown, 'the same script shows the same twice')
    if (process.env['UPDATE'] === '1') writeFileSync(new URL(name, folder), shown)
    else t.equal(shown, text)
    t.match(text, /^# /, 'a script opens with its reason')
    t.ok(text.split('\n').length <= 101, 'a script has at most 100 lines')
  })
}
