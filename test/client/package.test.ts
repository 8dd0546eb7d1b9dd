// What `holdfast/client` brings along when somebody imports it: files of the client and Node.js, nothing else.
import t from 'tap'
import { existsSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const build = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const door = join(build, 'src/client/index.js')

t.test('the client pulls in no package and nothing of the server', async (t) => {
  const files = new Set<string>()
  const strays: string[] = []
  const follow = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    for (const from of importsOf(file)) {
      if (from.startsWith('node:') && builtinModules.includes(from.slice('node:'.length))) continue
      const target = from.startsWith('.') ? resolve(dirname(file), from) : ''
      if (existsSync(target) && relative(join(build, 'src/client'), target).startsWith('..') === false) follow(target)
      else strays.push(`${relative(build, file)} imports ${from}`)
    }
  }
  follow(door)
  t.same(strays, [])
  t.ok(files.has(join(build, 'src/client/operations.js')))
  t.ok(files.has(join(build, 'src/client/keeper-worker.js')), 'also what the worker runs')
})

/** Of compiled files: also what is loaded later, or by a worker. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const patterns = [/^(?:import|export)\s+(?:[\w*\s{},]+\sfrom\s+)?'([^']+)'/gm, /\bimport\(\s*'([^']+)'/g]
  const workers = [...text.matchAll(/new URL\('(\.\/[^']+)', import\.meta\.url\)/g)]
  return [...patterns.flatMap((pattern) => [...text.matchAll(pattern)]), ...workers].map(([, from]) => from ?? '')
}

t.test('the door shows the client, its errors and its types', async (t) => {
  const door = await import('../../src/client/index.ts')
  t.same(Object.keys(door).toSorted(), ['HoldfastError', 'LockClient', 'isHoldfastError', 'lostExitCode'])
})
