// House rules that a linter cannot say: who may import whom, how the tests are laid out, and that nothing in the
// repository names a machine. It reads the sources, not the compiled files.
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

interface Reach {
  /** May be imported as values and as types. */
  readonly values: readonly string[]
  /** May be imported as types only. */
  readonly types?: readonly string[]
}

/** ARCHITECTURE.md draws this table; a path stands for itself and everything below it. */
const reach: Readonly<Record<string, Reach>> = {
  'src/ids.ts': { values: [] },
  'src/assert.ts': { values: [] },
  'src/config.ts': { values: ['src/ids.ts'] },
  'src/raft': { values: ['src/ids.ts', 'src/assert.ts'] },
  'src/lockfsm': { values: ['src/ids.ts', 'src/assert.ts'] },
  'src/codec': {
    values: ['src/ids.ts', 'src/assert.ts'],
    types: ['src/raft', 'src/lockfsm', 'src/storage/state-store.ts', 'src/storage/founding-store.ts'],
  },
  'src/storage': { values: ['src/ids.ts', 'src/assert.ts', 'src/codec'], types: ['src/raft', 'src/lockfsm'] },
  'src/node': {
    values: [
      'src/ids.ts',
      'src/assert.ts',
      'src/codec',
      'src/config.ts',
      'src/raft',
      'src/lockfsm',
      'src/storage/identity.ts',
      'src/storage/backup-format.ts',
      'src/storage/damage.ts',
      'src/storage/log-store.ts',
      'src/storage/state-store.ts',
    ],
    types: ['src/storage/founding-store.ts'],
  },
  'src/http': {
    values: ['src/ids.ts', 'src/assert.ts', 'src/codec', 'src/config.ts', 'src/node', 'src/lockfsm/views.ts'],
    types: ['src/raft', 'src/lockfsm'],
  },
  'src/client': { values: [], types: ['src/http/api.ts', 'src/http/errors.ts'] },
  // `serve` loads src/main.ts when it is asked for, and nothing else does.
  'src/cli': { values: ['src/client'], types: ['src/http/api.ts'] },
  'src/testing': {
    values: [
      'src/ids.ts',
      'src/assert.ts',
      'src/codec',
      'src/raft/state.ts',
      'src/lockfsm/state.ts',
      'src/storage/batch-rules.ts',
      'src/storage/damage.ts',
      'src/storage/load-records.ts',
      'src/storage/log-record.ts',
      'src/node',
      'src/http',
      'src/client',
    ],
    types: ['src/raft', 'src/storage'],
  },
  'src/guard': { values: [] },
}

/** These build the process out of the parts. */
const compositionRoots = ['src/main.ts', 'src/exit-codes.ts']

t.test('every import is in the import table of ARCHITECTURE.md', async (t) => {
  const strays: string[] = []
  for (const file of filesBelow('src')) {
    if (compositionRoots.includes(file)) continue
    const room = Object.keys(reach).find((path) => isIn(file, path))
    if (room === undefined) strays.push(`${file} has no place in the import table`)
    else strays.push(...straysOf(file, room))
  }
  t.same(strays, [])
})

t.test('the core imports no packages and nothing of Node.js', async (t) => {
  const impure = [...filesBelow('src/raft'), ...filesBelow('src/lockfsm')].filter((file) =>
    importsOf(file).some(({ from }) => !from.startsWith('.')),
  )
  t.same(impure, [])
})

t.test('source and test files have at most 400 lines', async (t) => {
  const long = [...filesBelow('src'), ...filesBelow('test'), ...filesBelow('bench')].filter(
    (file) => read(file).split('\n').length > 401,
  )
  t.same(long, [])
})

t.test('every source file opens by saying what it owns', async (t) => {
  // A program begins with the line that names its interpreter.
  const silent = filesBelow('src').filter((file) => !/^(#!.*\n)?\/(\/|\*\*) \S/.test(read(file)))
  t.same(silent, [])
})

t.test('nothing names a machine, a registry or a person’s folder', async (t) => {
  const words = [/registry\.npmjs/, /\/(home|root|work)\//, /\/Users\//]
  const files = spawnSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' }).stdout
  const guilty = files
    .split('\n')
    .filter((file) => file !== '' && file !== 'package-lock.json' && file !== 'test/tidy.test.ts')
    .filter((file) => statSync(join(root, file)).isFile() && words.some((word) => word.test(read(file))))
  t.same(guilty, [])
})

t.test('every history that breaks weaker designs is told by a test', async (t) => {
  // HISTORIES of the design, by number.
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).map((file) => join('test', file))
  const titles = files.flatMap((file) => {
    if (file.endsWith('.txt')) return read(file).match(/^# .*$/gm) ?? []
    return file.endsWith('.test.ts') ? (read(file).match(/t\.test\(\s*['`].*$/gm) ?? []) : []
  })
  const told = new Set(titles.flatMap((title) => title.match(/\bH\d+\b/g) ?? []))
  const untold = Array.from({ length: 37 }, (_, position) => position + 1).filter((number) => !told.has(`H${number}`))
  t.same(untold, [])
})

t.test('the linter and the formatter have nothing to say', async (t) => {
  const lint = runTool('oxlint', ['--type-aware', '--deny-warnings'])
  t.equal(lint.status, 0, `npm run lint: ${lint.said}`)
  const format = runTool('oxfmt', ['--check', 'src', 'test', 'bench', 'scripts', 'examples'])
  t.equal(format.status, 0, `npm run format has something to do: ${format.said}`)
})

/** What a test runner loads into every process of Node.js does not go together with all of them: `env` takes it out. */
function runTool(name: string, args: readonly string[]): { status: number | null; said: string } {
  const command = ['-u', 'NODE_OPTIONS', join('node_modules/.bin', name), ...args]
  const { status, stdout, stderr } = spawnSync('env', command, { cwd: root, encoding: 'utf8' })
  return { status, said: `${stdout} ${stderr}`.trim().split('\n').slice(-4).join(' ') }
}

interface Import {
  readonly from: string
  readonly isType: boolean
}

function straysOf(file: string, room: string): string[] {
  const { values, types = [] } = reach[room] ?? { values: [] }
  const strays: string[] = []
  for (const { from, isType } of importsOf(file)) {
    if (!from.startsWith('.')) continue
    const target = posix.join(posix.dirname(file), from)
    const allowed = isType ? [room, ...values, ...types] : [room, ...values]
    if (!allowed.some((path) => isIn(target, path))) strays.push(`${file} imports ${target}`)
  }
  return strays
}

function importsOf(file: string): Import[] {
  const pattern = /^(?:import|export)\s+(type\s+)?[^'";]*?from\s+'([^']+)'/gm
  return [...read(file).matchAll(pattern)].map(([, type, from]) => ({ from: from ?? '', isType: type !== undefined }))
}

function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}
