// Brings a fresh clone to the point where `tsc` and `tap` run: installs when the lock file is newer than what is
// installed. With --build it compiles when a source is newer than what is compiled; with --tap it lets tap generate its
// plugin bundle once (its first run without it fails). Several may run at once: one works, the others wait for it.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'))

const installedMark = 'node_modules/.holdfast-installed'
const tapMark = 'node_modules/.holdfast-tap-built'
const compiled = 'build/src/main.js'
const program = 'build/src/cli/main.js'

// Hashes rather than file times: a fresh clone gives every file the time of the checkout.
const wanted = createHash('sha256')
  .update(readFileSync('package-lock.json'))
  .update(existsSync('.taprc') ? readFileSync('.taprc') : '')
  .digest('hex')

await takeTurn()
if (!isDone(installedMark)) {
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(installedMark, wanted)
}
removeStaleOutput('build')
if (
  process.argv.includes('--build') &&
  newest(['src', 'test', 'bench', 'tsconfig.json', installedMark]) > timeOf(compiled)
) {
  // What a failed compilation leaves must not look new.
  run('node_modules/.bin/tsc', ['-p', '.'], () => existsSync(compiled) && utimesSync(compiled, 0, 0))
}
// npx makes the program executable only the first time that it sees this folder, not after a compilation.
if (existsSync(program)) chmodSync(program, 0o755)
if (process.argv.includes('--tap') && !isDone(tapMark)) {
  run('node_modules/.bin/tap', ['build'])
  writeFileSync(tapMark, wanted)
}

/** Waits until no other set-up of this clone is under way, and holds the others off until this process ends. */
async function takeTurn() {
  const clone = createHash('sha256').update(process.cwd()).digest('hex').slice(0, 16)
  const lock = join(tmpdir(), `holdfast-setup-${clone}`)
  for (let attempt = 0; ; attempt++) {
    try {
      const file = openSync(lock, 'wx')
      writeSync(file, String(process.pid))
      process.on('exit', () => rmSync(lock, { force: true }))
      for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (attempt === 20) process.stderr.write('another set-up is under way, waiting for it\n')
    // An empty lock is being written; one of a process that is gone is left over.
    if (attempt > 5 && !isAlive(readLock(lock))) rmSync(lock, { force: true })
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function readLock(lock) {
  return existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0
}

function isAlive(pid) {
  if (pid === 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function isDone(mark) {
  return existsSync(mark) && readFileSync(mark, 'utf8') === wanted
}

function run(command, args, onFailure = () => {}) {
  // Output goes to stderr so that a script reading our stdout sees only its own results.
  const { status } = spawnSync(command, args, { stdio: ['ignore', 2, 2] })
  if (status === 0) return
  onFailure()
  process.exit(status ?? 1)
}

/** The latest time of a file in these places; 0 when there is none. */
function newest(paths) {
  let time = 0
  for (const path of paths.filter((place) => existsSync(place))) {
    const stat = statSync(path)
    const below = stat.isDirectory() ? newest(readdirSync(path).map((name) => join(path, name))) : stat.mtimeMs
    time = Math.max(time, below)
  }
  return time
}

function timeOf(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

/** Deletes compiled files whose source is gone, so that no test of a deleted file is run; the rest stays in place. */
function removeStaleOutput(folder) {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) removeStaleOutput(path)
    else if (!existsSync(path.slice('build/'.length).replace(/(\.d\.ts|\.js\.map|\.js)$/, '.ts'))) rmSync(path)
  }
}
