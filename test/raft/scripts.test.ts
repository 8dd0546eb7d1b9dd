// Runs the golden scripts in `scripts/` and compares what the world showed with what they say. UPDATE=1 writes it
// instead.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { runScript } from '../support/raft-script.ts'

// Compiled tests run from build/test/raft; the scripts are not compiled.
const folder = new URL('../../../test/raft/scripts/', import.meta.url)

for (const name of readdirSync(folder).sort()) {
  t.test(name.replace('.txt', '').replaceAll('-', ' '), async (t) => {
    const text = readFileSync(new URL(name, folder), 'utf8')
    const shown = runScript(text)
    t.equal(runScript(text), shown, 'the same script shows the same twice')
    if (process.env['UPDATE'] === '1') writeFileSync(new URL(name, folder), shown)
    else t.equal(shown, text)
    t.match(text, /^# /, 'a script opens with its reason')
    t.ok(text.split('\n').length <= 101, 'a script has at most 100 lines')
  })
}
