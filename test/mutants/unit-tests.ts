// Whether the tests notice a mutant: the files that mirror what was changed first, then what the mutant names, then the
// rest of the folder and the stories of whole clusters, one after the other until one fails.
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { runChild } from './child.ts'
import type { Mutant } from './mutant.ts'

/** Where whole clusters are told, for what the cluster is made of. */
const stories = ['sim/histories', 'sim/properties']

/** Of one test file. */
export type Verdict =
  | { readonly kind: 'passed' }
  /** The title of the first test that failed. */
  | { readonly kind: 'failed'; readonly title: string }
  /** It said nothing for as long as it may. */
  | { readonly kind: 'stuck' }

/** Test files below `build/test`, in the order in which they are run. */
export function testsFor(root: string, { edits, tests = [] }: Mutant): readonly string[] {
  const found: string[] = []
  for (const { file } of edits) {
    const folder = dirname(file).replace(/^src\/?/, '')
    const stem = basename(file, '.ts')
    found.push(...testsIn(root, folder).filter((test) => basename(test).startsWith(stem)))
  }
  found.push(...tests.map((test) => `${test}.test.js`))
  const folders = edits.map(({ file }) => dirname(file).replace(/^src\/?/, ''))
  for (const folder of [...folders, ...stories]) found.push(...testsIn(root, folder))
  return [...new Set(found)]
}

export async function runTest(root: string, test: string, silenceMs: number): Promise<Verdict> {
  let title = test
  let hasFailed = false
  const take = (line: string): boolean => {
    title = /^# Subtest: (.*)$/.exec(line)?.[1] ?? title
    hasFailed ||= /^\s*not ok /.test(line)
    return hasFailed
  }
  const end = await runChild([join('build/test', test)], { cwd: root, silenceMs, take })
  if (end.kind === 'silent') return { kind: 'stuck' }
  if (hasFailed) return { kind: 'failed', title }
  const isFine = end.kind === 'ended' && end.status === '0'
  return isFine ? { kind: 'passed' } : { kind: 'failed', title: `${title}, which ended the process` }
}

function testsIn(root: string, folder: string): readonly string[] {
  return readdirSync(join(root, 'build/test', folder))
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => join(folder, name))
    .sort()
}
