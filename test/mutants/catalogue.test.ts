// That every mutant can still be made, and that the list of RAFT.md 7 is complete: an edit that does not fit any more is
// a mistake that nobody is looking for.
import t from 'tap'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutants } from './catalogue.ts'
import { byFile, compiledPath, edited } from './mutant.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
const readme = readFileSync(join(root, 'test/mutants/README.md'), 'utf8')

t.test('every edit of a mutant fits the compiled code exactly once and changes it', async (t) => {
  const unfit: string[] = []
  for (const { name, edits } of mutants) {
    for (const [file, ofFile] of byFile(edits)) {
      const text = readFileSync(join(root, compiledPath(file)), 'utf8')
      try {
        if (edited(text, ofFile) === text) unfit.push(`${name}: nothing is changed`)
      } catch (error) {
        unfit.push(`${name}: ${String(error)}`)
      }
    }
  }
  t.same(unfit, [])
})

t.test('an edit that fits twice or nowhere is refused', async (t) => {
  const edit = { file: 'src/x.ts', find: 'a', put: '$&' }
  t.equal(edited('bab', [edit]), 'b$&b', 'what is put is no pattern')
  t.throws(() => edited('aba', [edit]), { message: /src\/x\.ts has 2 times: a/ })
  t.throws(() => edited('b', [edit]), { message: /src\/x\.ts has 0 times: a/ })
})

t.test('RAFT 7 every mutation is made here, or the README says why not', async (t) => {
  const explained = [...readme.matchAll(/^\| (\d+) +\|/gm)].map(([, number]) => Number(number))
  const made = mutants.flatMap(({ number }) => number ?? [])
  t.same(
    [...explained, ...made].sort((a, b) => a - b),
    Array.from({ length: 24 }, (_, position) => position + 1),
  )
  t.ok(mutants.length - made.length >= 24, 'and there are as many of our own')
})

t.test('every mutant has a name of its own and tests that exist', async (t) => {
  t.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  const named = mutants.flatMap(({ tests = [] }) => tests)
  t.same(
    named.filter((test) => !existsSync(join(root, 'test', `${test}.test.ts`))),
    [],
  )
})

t.test('the README has the last verdict on every mutant', async (t) => {
  t.same(
    mutants.filter(({ name }) => !readme.includes(name)).map(({ name }) => name),
    [],
  )
})
